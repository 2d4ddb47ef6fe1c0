"""Numbers, chances and docstrings as a page words them."""

import inspect
import re

import numpy as np
from markupsafe import Markup, escape

from mesabench.task import Task

MINUS = "\N{MINUS SIGN}"


def number(value: float | None, digits: int = 2) -> str:
    """Return a number with a true minus; a dash where there is none."""
    if value is None or not np.isfinite(value):
        return "–"
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text.replace("-", MINUS)


def percent(share: float) -> str:
    """Return a share in whole per cent."""
    return "–" if not np.isfinite(share) else f"{100 * share:.0f} %"


def chance(probability: float, *, calibrated: bool) -> Markup:
    """Return a probability; as long as it is not calibrated it says so itself."""
    text = f"{probability:.2f}"
    if text in ("0.00", "1.00"):
        text = "< 0.01" if text == "0.00" else "> 0.99"
    doubt = "" if calibrated else ' <span class="doubt">uncalibrated</span>'
    return Markup('<span class="chance">{}</span>').format(text) + Markup(doubt)


def prose(text: str) -> Markup:
    """Return a docstring's paragraphs as HTML, with its code and emphasis."""
    marked = re.sub(r"``(.+?)``", r"<code>\1</code>", str(escape(text)), flags=re.DOTALL)
    marked = re.sub(r"\*(\w[^*]*)\*", r"<em>\1</em>", marked)
    return Markup("".join(f"<p>{part}</p>" for part in marked.split("\n\n")))


def docstring_sections(task: Task) -> dict[str, str]:
    """Return the sections of the docstring of the file that declares a task."""
    module = inspect.getmodule(task.advance)
    text = inspect.cleandoc((module and module.__doc__) or "")
    parts = re.split(r"^(\w[\w ]*):\n(?=    )", text, flags=re.MULTILINE)
    pairs = zip(parts[1::2], parts[2::2], strict=True)
    return {title: inspect.cleandoc("\n" + body) for title, body in pairs}
