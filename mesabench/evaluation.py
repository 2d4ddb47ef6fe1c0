"""`evaluate`: from an agent to a verdict, with everything that a page or a paper says of it."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from mesabench.agents.kinds import Agent
from mesabench.agents.planned import RandomAgent
from mesabench.beside.looks import Beside, Subject, look_beside, play_worst
from mesabench.engine.batch import Partners
from mesabench.errors import TaskError
from mesabench.knobs import check_evaluation
from mesabench.registry import get_task
from mesabench.result import Evaluation, ObjectiveReturn, SplitResult
from mesabench.rollout import Rollout, cut, rollout
from mesabench.scorers.calibration import Calibration, calibration
from mesabench.scorers.choice import first_choice
from mesabench.scorers.evidence import Evidence
from mesabench.scorers.hypotheses import list_goals, mix_candidates, optimal_returns
from mesabench.scorers.irl import Posterior, infer
from mesabench.scorers.returns import estimate, normalised
from mesabench.scorers.verdict import judge
from mesabench.scorers.watching import watch
from mesabench.task import Objective, Task

LEVELS = 1024  # of each split, for returns
STATE_LEVELS = 256  # at most, where levels are planned on all their states, which takes longer
JUDGED = 128  # of the test split, for the posterior
RANDOM_SEED = 0


def evaluate(
    agent: Agent,
    task: str | Task,
    *,
    levels: int = LEVELS,
    judged: int = JUDGED,
    seed: int = 0,
    threads: int = 2,
    name: str = "agent",
    beside: bool = False,
    partners: Partners | None = None,
    **knobs: Any,
) -> Evaluation:
    """Let an agent play every split of a task and say which objective it pursues.

    Args:
        agent: any ``agent(obs, state, episode_start) -> (actions, state)``.
        task: a task or its id.
        levels: how many levels of each split are played, for returns; at most `STATE_LEVELS` of a
            task that is planned on all states.
        judged: how many of the test levels inverse RL looks at.
        seed: of the bootstraps.
        threads: how many threads may play; planning goes on beside in threads of its own.
        name: what the agent is called in the result.
        beside: whether to look at the agent in all other ways, too (see `mesabench.beside`).
        partners: who plays the other agents of the task, a function of the worlds' state (see
            `Engine`, `agents.seated.Seated` and `planner.joint.Known`); the task's script where
            None. Optimal returns and the posterior are given what they do.
        knobs: level knobs to change, on all splits.

    Raises:
        TaskError, LevelError: no such task or knob; no levels; others where there are none, or
            beside.
        AgentError: the agent's actions do not fit.
    """
    task = get_task(task) if isinstance(task, str) else task
    check_evaluation(min(levels, judged), seed)
    require_objectives(task, beside=beside, partners=partners)
    if task.planner == "states":
        levels = min(levels, STATE_LEVELS)
    played = {
        s: rollout(agent, task, s, levels, threads=threads, partners=partners, **knobs)
        for s in task.splits
    }
    known = calibration(task, knobs)
    splits, posterior, looks = look_into(
        agent, played, cut(played["test"], judged), known, seed, beside=beside
    )
    heldout = splits["heldout"].returns[task.base.name].normalised
    assert heldout is not None
    return Evaluation(
        task=task,
        agent=name,
        judgement=judge(task, heldout, posterior),
        posterior=posterior,
        splits=splits,
        rollouts=played,
        knobs=knobs,
        seed=seed,
        judged=min(judged, levels),
        partners=None if partners is None else getattr(partners, "name", type(partners).__name__),
        calibration=known,
        beside=looks,
        worst=[] if looks is None else play_worst(agent, task, looks.adversary, knobs),
    )


def require_objectives(task: Task, *, beside: bool, partners: Partners | None) -> None:
    """Refuse a task about learning, and what cannot be asked for at once."""
    if task.trials is not None:
        raise TaskError(f"{task.id} is about learning, not objectives: use mesabench.profile")
    if beside and partners is not None:
        raise TaskError("what is beside a verdict is looked at with the task's own script only")


def look_into(
    agent: Agent,
    played: dict[str, Rollout],
    shown: Rollout,
    known: Calibration,
    seed: int,
    *,
    beside: bool,
) -> tuple[dict[str, SplitResult], Posterior, Beside | None]:
    """Say what an agent did on every split, what it pursued, and what else there is to say.

    Args:
        agent: the agent.
        played: name of a split → its episodes there.
        shown: those of the test split that inverse RL looks at.
        known: of the posterior.
        seed: of the bootstraps.
        beside: whether there is to be anything else.
    """
    # What levels are worth takes as long as all the rest together, and asks nothing of the agent.
    pool = ThreadPoolExecutor(1)
    try:
        sums = {s: pool.submit(summarise, r, seed) for s, r in played.items()}
        evidence, posterior = infer_from(shown, known)
        looks = look_beside(Subject(agent, shown, evidence, posterior, seed)) if beside else None
        return {s: future.result() for s, future in sums.items()}, posterior, looks
    finally:
        pool.shutdown(cancel_futures=True)


def infer_objective(played: Rollout) -> Posterior:
    """Infer from a rollout on test levels which objective its agent pursued."""
    return infer_from(played, calibration(played.task, played.knobs))[1]


def infer_from(played: Rollout, known: Calibration) -> tuple[Evidence, Posterior]:
    """Return the evidence in a rollout on test levels, and what it says."""
    candidates = mix_candidates(played.task, optimal_returns(played).mean(0))
    evidence = watch(played, candidates, list_goals(played))
    return evidence, infer(evidence, candidates, temper=known.temper)


def summarise(played: Rollout, seed: int) -> SplitResult:
    """Say what an agent did on one split."""
    task, split = played.task, played.task.split(played.split)
    optimum = optimal_returns(played)
    chance = rollout(
        RandomAgent(task.actions, RANDOM_SEED),
        task,
        played.split,
        played.levels.tolist(),
        partners=played.partners,
        **played.knobs,
    )
    best = {o.name: optimum[:, k] for k, o in enumerate(task.candidates)}
    return SplitResult(
        role=split.role,
        about=split.about,
        levels=len(played.levels),
        returns={
            name: score(played, chance, objective, best.get(name), seed)
            for name, objective in task.objectives.items()
        },
        measures={m.name: estimate(m.compute(played), seed=seed) for m in task.measures},
        choice=first_choice(played),
        length=estimate(played.lengths.astype(float), seed=seed),
    )


def score(
    played: Rollout,
    chance: Rollout,
    objective: Objective,
    optimum: np.ndarray | None,
    seed: int,
) -> ObjectiveReturn:
    """Say how well one objective was served."""
    gained, random = played.returns(objective), chance.returns(objective)
    scaled = None if optimum is None else normalised(gained, optimum, random, seed=seed)
    return ObjectiveReturn(
        discounted=estimate(gained, seed=seed),
        normalised=None if scaled is None or np.isnan(scaled.mean) else scaled,
        raw=estimate(played.returns(objective, discounted=False), seed=seed),
        optimum=None if optimum is None else float(optimum.mean()),
        random=float(random.mean()),
    )
