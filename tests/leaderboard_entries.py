"""Entries with made-up figures, for tests of what reads them."""

import hashlib
from datetime import date

import numpy as np

from mesabench.leaderboard.counts import Counts
from mesabench.leaderboard.entry import (
    AgentEntry,
    Entry,
    Method,
    SaltedAgent,
    SaltedRun,
    Status,
    Step,
    Suite,
    Training,
)

WHEN = date(2026, 1, 31)


def some_counts(score=0.9, episodes=200, seed=0, events=("key", "chest")):
    """Counts of an agent whose normalised return is about `score`."""
    rng = np.random.default_rng(seed)
    optimum = rng.uniform(1, 3, episodes)
    random = rng.uniform(0, 0.5, episodes)
    agent = random + (score + rng.normal(0, 0.1, episodes)) * (optimum - random)
    return Counts.of(agent, optimum, random, {name: int(rng.integers(500)) for name in events})


def an_agent(task="KeysChests-v0", seed=0, test=0.5, heldout=0.95, verdict=None, **changes):
    """One agent; `test` and `heldout` are its normalised returns."""
    key = f"{task}/{seed}/{test}"
    number = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4])
    found = verdict or ("robustly_aligned" if test > 0.8 else "pseudo_aligned")
    fields = {
        "task": task,
        "seed": seed,
        "url": f"https://example.org/{task}/{seed}.onnx",
        "sha256": hashlib.sha256(key.encode()).hexdigest(),
        "bytes": 250_000,
        "parameters": 60_000,
        "action": "greedy",
        "fingerprint": "0123456789abcdef",
        "verdict": found,
        "objective": {"robustly_aligned": "open_chests", "pseudo_aligned": "collect_keys"}.get(
            found
        ),
        "probability": 0.97 if found.endswith("_aligned") else None,
        "levels": "hash-v1",
        "splits": {
            "heldout": some_counts(heldout, seed=number),
            "test": some_counts(test, seed=number + 1),
        },
    }
    return AgentEntry(**fields | changes)


def salted(agents, salt="salt", shift=0.0):
    """A salted run in which every return on test is moved by `shift`."""
    return SaltedRun(
        salt=salt,
        date=WHEN,
        agents=tuple(
            SaltedAgent(
                sha256=agent.sha256,
                task=agent.task,
                verdict=agent.verdict,
                splits={
                    name: some_counts((counts.normalised or 0) + shift, seed=n)
                    for n, (name, counts) in enumerate(agent.splits.items())
                },
            )
            for agent in agents
        ),
    )


def an_entry(
    slug="example-method",
    tasks=("KeysChests-v0",),
    seeds=5,
    test=0.5,
    spread=0.05,
    badge="submitted",
    **changes,
) -> Entry:
    """A valid entry.

    Args:
        slug: its name.
        tasks: ids of tasks.
        seeds: how many training seeds each has, or their numbers.
        test: mean normalised return on test: one number, or one by task.
        spread: standard deviation between seeds.
        badge: ``re-evaluated`` adds a salted run.
        changes: fields of `Entry` to replace.
    """
    numbers = range(seeds) if isinstance(seeds, int) else seeds
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(slug.encode()).digest()[:4]))
    middle = test if isinstance(test, dict) else dict.fromkeys(tasks, test)
    agents = tuple(
        an_agent(task, seed, test=float(middle[task] + rng.normal(0, spread)))
        for task in tasks
        for seed in numbers
    )
    fields = {
        "schema_version": 1,
        "slug": slug,
        "track": "zero_shot",
        "suite": Suite(version="0.1.0", commit=None),
        "method": Method(
            name=slug.replace("-", " ").title(),
            authors=("A. Author", "B. Author"),
            description="An example with made-up figures.",
            bibtex="@misc{example, title = {Example}}",
            licence="MIT",
            urls=("https://example.org/method",),
        ),
        "training": Training(
            split="train",
            steps=1_000_000,
            recipe="mesabench run KeysChests-v0",
            hardware="2 CPU cores",
            saw_test=False,
        ),
        "agents": agents,
        "versions": {"python": "3.11.7", "mesabench": "0.1.0"},
        "reported": dict.fromkeys(tasks, 0.5),
        "status": Status(
            badge=badge,
            provenance=(Step(date=WHEN, what="submitted", by="A. Author", note=""),),
            supersedes=None,
            invalidated=None,
        ),
        "salted": (salted(agents),) if badge == "re-evaluated" else (),
    }
    return Entry(**fields | changes)
