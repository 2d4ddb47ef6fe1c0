"""LaTeX and BibTeX from texts that strangers wrote: nothing in them is a command by surprise."""

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mesabench.leaderboard.entry import Entry, Method

SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}
KINDS = (
    "article|book|booklet|conference|dataset|inbook|incollection|inproceedings|manual|mastersthesis"
    "|misc|online|phdthesis|proceedings|report|software|techreport|thesis|unpublished"
)
# Accents, letters and what titles are set with; `\input`, `\write` and their like are not here.
COMMANDS = (
    "c|v|u|H|k|r|d|b|t|i|j|l|L|o|O|ae|AE|oe|OE|aa|AA|ss|emph|text(it|bf|tt|sc|rm)|math(rm|bf|cal|bb)"
    "|alpha|beta|gamma|delta|epsilon|varepsilon|lambda|mu|pi|rho|sigma|tau|theta|phi|psi|omega"
    "|Delta|Gamma|Lambda|Omega|Phi|Psi|Sigma|Theta|infty|times|cdot|to|sim|approx|le|ge|leq|geq"
    "|log|l?dots"
)
ACCENTS = "'`\"^~=.&%$#_-,; "
HEAD = re.compile(r"@\s*([A-Za-z]+)\s*\{\s*([^\s,{}()=\"#%\\~]+)\s*(?=[,}])")
FIELD = re.compile(r"\s*,\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*")
BARE = re.compile(r"[A-Za-z]+|[0-9]+")
END = re.compile(r"\s*,?\s*\}")
ADDRESS = r"https?://[A-Za-z0-9:/?=&._~%+;@!-]+"
TOKEN = re.compile(
    rf"(?P<link>\\url\{{{ADDRESS}\}})|(?P<hats>\\?\^{{2,}})|\\(?P<word>[A-Za-z]+)|\\(?P<sign>.)"
    r"|(?P<bare>[%#&_~$\\])",
    re.DOTALL,
)


def printable(text: str) -> str:
    """Return a text in one line, without characters that steer a terminal or its direction."""
    spaced = " ".join(text.split())
    return "".join(c for c in spaced if unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co"))


def escaped(text: str) -> str:
    """Return LaTeX that prints a text."""
    return "".join(SPECIAL.get(letter, letter) for letter in printable(text))


def bibtex_of(entry: "Entry", key: str | None = None) -> str:
    """Return the BibTeX of an entry's method, under the key `key` or its slug.

    The first record of what the authors wrote, field by field, with unknown commands disarmed; or
    one made from the method's name, authors and address, where theirs cannot be read.
    """
    key = key or entry.slug
    record = parse(entry.method.bibtex or "")
    if record is None:
        return made(key, "misc", _plain(entry.method))
    kind, fields = record
    return made(key, kind, [(name, _disarmed(name, value)) for name, value in fields])


def made(key: str, kind: str, fields: Sequence[tuple[str, str]]) -> str:
    """Return a BibTeX record; the fields' values are BibTeX already."""
    lines = "".join(f"  {name} = {{{value}}},\n" for name, value in fields)
    return f"@{kind}{{{key},\n{lines}}}"


def key_of(bibtex: str) -> str:
    """Return the key of a BibTeX record, "" where there is none."""
    head = HEAD.search(bibtex)
    return head.group(2) if head else ""


def parse(text: str) -> tuple[str, list[tuple[str, str]]] | None:
    """Return the kind and the fields of a text's first record; None where it cannot be read.

    Strings, preambles and joined values are not read: what they hold would act on other records.
    """
    head = HEAD.search(text)
    if head is None or not re.fullmatch(KINDS, head.group(1), re.IGNORECASE):
        return None
    fields, at = dict[str, str](), head.end()
    while (name := FIELD.match(text, at)) is not None:
        value = _value(text, name.end())
        if value is None:
            return None
        fields.setdefault(name.group(1).lower(), value[0])
        at = value[1]
    if END.match(text, at) is None or not fields:
        return None
    return head.group(1).lower(), list(fields.items())


def _value(text: str, at: int) -> tuple[str, int] | None:
    """Return the value that begins at `at` and where it ends; None where there is none."""
    opening = text[at : at + 1]
    if opening not in ("{", '"'):
        bare = BARE.match(text, at)
        return (bare.group(), bare.end()) if bare else None
    depth = 0
    for i in range(at + 1, len(text)):
        if depth == 0 and text[i] == ("}" if opening == "{" else '"'):
            return text[at + 1 : i], i + 1
        depth += (text[i] == "{") - (text[i] == "}")
        if depth < 0:
            return None
    return None


def _disarmed(name: str, value: str) -> str:
    value = printable(value)
    if name in ("url", "doi"):
        return re.sub(r"[^A-Za-z0-9:/?=&._~%+;@!()-]", "", value)
    maths = value.count("$") % 2 == 0 and "$" in value
    return TOKEN.sub(lambda token: _kept(token, maths=maths), value)


def _kept(token: re.Match[str], *, maths: bool) -> str:
    """Return what becomes of one backslash or special character of a BibTeX value."""
    if (word := token["word"]) is not None:
        # The space keeps `\i\nput` from becoming `\input`.
        return f"\\{word}" if re.fullmatch(COMMANDS, word) else f" {word}"
    if (sign := token["sign"]) is not None:
        return f"\\{sign}" if sign in ACCENTS else (sign if sign in "{}" else " ")
    if token["hats"]:  # TeX reads ^^69 as an i, in names of commands too
        return r"\textasciicircum{}" * token["hats"].count("^")
    if (bare := token["bare"]) is not None:
        return bare if bare == "~" or (maths and bare in "$_") else SPECIAL[bare]
    return token[0]


def _plain(method: "Method") -> list[tuple[str, str]]:
    authors = " and ".join(f"{{{escaped(name)}}}" for name in method.authors)
    fields = [("title", f"{{{escaped(method.name)}}}"), ("author", authors)]
    fields += [("url", url) for url in method.urls[:1] if re.fullmatch(ADDRESS, url)]
    return [*fields, ("note", "MesaBench leaderboard")]
