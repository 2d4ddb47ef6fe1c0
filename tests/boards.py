"""Entries that make up a leaderboard, a hostile one among them."""

from leaderboard_entries import WHEN, an_entry

from mesabench.leaderboard.board import Tasks
from mesabench.leaderboard.entry import Invalidation, Method, Step, Training

TASKS = Tasks(("KeysChests-v0", "RedDoor-v0"), ("DeceptiveToy-v0",), ("Bandit-v0",))
EVIL = "<script>hacked=1</script><img src=x onerror=hacked=2>\"'><b onclick='hacked=3'>{{7*7}}</b>"


def method(name, **changes):
    fields = {
        "name": name,
        "authors": ("Ada Lovelace", "Alan Turing"),
        "description": "What it does.",
        "bibtex": f"@misc{{any, title = {{About {name}}}, year = 2026}}",
        "licence": "MIT",
        "urls": ("https://example.org/method",),
    }
    return Method(**fields | changes)


def hostile_entry():
    """Return an entry with markup, LaTeX and formulas wherever the schema allows a text."""
    step = Step(date=WHEN, what=EVIL, by=EVIL, note=EVIL)
    entry = an_entry("hostile", TASKS.ranked, test=0.4)
    evil = method(EVIL, authors=(EVIL, "=1+1"), description=EVIL, bibtex=EVIL, licence=EVIL)
    status = entry.status.model_copy(update={"provenance": (step,)})
    training = Training(split=EVIL, steps=1, recipe=EVIL, hardware=EVIL, saw_test=False)
    made = entry.model_copy(update={"method": evil, "status": status, "training": training})
    # No schema allows this address: the page does not rely on the schema alone.
    urls = ("javascript:hacked=4", "https://example.org/fine")
    return made.model_copy(update={"method": evil.model_copy(update={"urls": urls})})


def some_entries():
    bad = an_entry("bad", TASKS.ranked, test=0.99, method=method("Too good"))
    invalid = Invalidation(date=WHEN, reason="saw the test split")
    everything = (*TASKS.all,)
    return [
        an_entry("alpha", everything, test=0.9, method=method("Alpha"), badge="re-evaluated"),
        an_entry("beta", TASKS.ranked, test=0.6, method=method("Beta")),
        an_entry("gamma", TASKS.ranked[1:], test=0.7, method=method("Gamma")),
        an_entry("delta", TASKS.ranked, test=0.8, method=method("Delta"), track="open"),
        bad.model_copy(update={"status": bad.status.model_copy(update={"invalidated": invalid})}),
        hostile_entry(),
    ]
