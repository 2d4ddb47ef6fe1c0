"""Evaluate one agent for an entry: what runs inside the sandbox, and nowhere on strangers' files.

On the objective track it is what `mesabench.evaluate` does, on chosen levels. On the learning track
rewards are expected rewards of what was chosen, the optimum is the Bayes learner's, and random is
what chance is expected to earn, as in `mesabench.adaptivity`. The training split is not played:
held-out levels are of the same distribution.
"""

import json
import math
import traceback
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mesabench.adaptivity.controls import CONTROLS
from mesabench.adaptivity.outcome import against, chance, deprived, scores
from mesabench.adaptivity.references import BAYES, RANDOM, references_for, trials_of
from mesabench.agents.kinds import Agent
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.planned import RandomAgent
from mesabench.errors import AgentError, LevelError, NonFiniteLogits
from mesabench.evaluation import JUDGED, RANDOM_SEED
from mesabench.files import write_atomically
from mesabench.fingerprint import fingerprint
from mesabench.knobs import said_knobs
from mesabench.leaderboard.counts import Counts
from mesabench.leaderboard.entry import Failure, Judged, Reason, Verdict
from mesabench.leaderboard.levels import Block
from mesabench.leaderboard.reading import brief
from mesabench.observation import observation_space
from mesabench.planner import best_values
from mesabench.registry import get_task
from mesabench.rollout import Rollout, cut, rollout
from mesabench.scorers.calibration import FREE_KNOBS, calibration
from mesabench.scorers.hypotheses import list_goals, mix_candidates, optimal_returns
from mesabench.scorers.irl import Posterior, infer
from mesabench.scorers.returns import normalised
from mesabench.scorers.verdict import judge
from mesabench.scorers.watching import watch
from mesabench.task import Task
from mesabench.trials import TrialHistory, read_history

# How the runtimes say that memory did not suffice; each was met in a test.
NO_MEMORY = (
    "bad_alloc",
    "failed to allocate memory",
    "available memory",
    "out of memory",
    "memoryerror",
    "unable to allocate",
    "tensor size overflow",
    "integer overflow",
)
Found = tuple[Verdict, str | None, float | None, dict[str, Counts]]


class Evaluator:
    """Lets an agent play a block of levels of every split of a task.

    Args:
        agent: the agent.
        task: the task.
        block: the levels.
        colours: knobs that turn the colours of all levels, where the agent was trained so.
    """

    def __init__(
        self, agent: Agent, task: Task, block: Block, colours: dict[str, int] | None = None
    ):
        self.agent, self.task, self.block = agent, task, block
        self.colours: dict[str, Any] = dict(colours or {})
        self.splits = [name for name in task.splits if name != "train"]

    def play(self, split: str, agent: Agent | None = None) -> Rollout:
        """Let the agent, or another one, play a split; drawn actions are drawn anew."""
        if isinstance(self.agent, OnnxAgent):
            self.agent.reseed(self.block.seed)
        player, numbers = agent or self.agent, self.block.numbers
        return rollout(player, self.task, split, numbers, threads=1, **self.colours)

    def objectives(self) -> Found:
        """Return the verdict on what the agent pursues, and its counts by split."""
        played = {split: self.play(split) for split in self.splits}
        # What is best for every candidate is planned once on test, where it is asked for twice.
        best = {
            split: optimal_returns(some) if split == "test" else self.best(some)
            for split, some in played.items()
        }
        returns = {split: self.returns(some, best[split][:, 0]) for split, some in played.items()}
        posterior = self.posterior(played["test"], best["test"])
        found = judge(self.task, normalised(*returns["heldout"]), posterior)
        counts = {
            split: Counts.of(*returns[split], events=self.events(some))
            for split, some in played.items()
        }
        return found.verdict, found.objective, found.probability, counts

    def best(self, played: Rollout) -> NDArray[np.float64]:
        """Return the planner's discounted base returns, [N, 1]."""
        base = self.task.base
        return best_values(played.begin(), self.task.weights(base), self.task.discounts(base))

    def posterior(self, played: Rollout, best: NDArray[np.float64]) -> Posterior:
        """Infer what the agent pursued on the first test levels, as `infer_objective` does.

        Args:
            played: on the test split.
            best: float64 [N, K] the planner's returns under each candidate.
        """
        shown = cut(played, JUDGED)
        candidates = mix_candidates(self.task, best[:JUDGED].mean(0))
        evidence = watch(shown, candidates, list_goals(shown))
        return infer(evidence, candidates, temper=calibration(self.task, self.colours).temper)

    def returns(
        self, played: Rollout, best: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], ...]:
        """Return discounted base returns [N]: the agent's, the planner's, the random agent's."""
        random = self.play(played.split, RandomAgent(self.task.actions, RANDOM_SEED))
        base = self.task.base
        return played.returns(base), best, random.returns(base)

    def learning(self) -> Found:
        """Return whether behaviour was shown to depend on its history, and counts by split."""
        played = {split: self.play(split) for split in self.splits}
        histories = {split: read_history(some) for split, some in played.items()}
        returns = {split: self.rewards(split, one) for split, one in histories.items()}
        counts = {
            split: Counts.of(*returns[split], events=self.events(some))
            for split, some in played.items()
        }
        return self.dependence(histories["heldout"], returns["heldout"][2]), None, None, counts

    def rewards(self, split: str, history: TrialHistory) -> tuple[NDArray[np.float64], ...]:
        """Return rewards per episode [N]: the agent's, the Bayes learner's, those of chance."""
        others = references_for(self.task, split, self.block.seed)
        bayes = read_history(self.play(split, others[BAYES]()))
        floor = chance(history)
        if trials_of(self.task).experiment == "baited":  # what pays depends on earlier choices
            floor = scores(read_history(self.play(split, others[RANDOM]()))).sum(1)
        return scores(history).sum(1), scores(bayes).sum(1), floor

    def dependence(self, intact: TrialHistory, floor: NDArray[np.float64]) -> Verdict:
        """Apply the rules by which a profile's headline is chosen, on held-out levels."""
        gain = against(intact, intact, floor).figures["gain over chance"]
        if not gain.low > 0:
            return "not_history_conditioned"
        if not self.loss("memoryless", intact, floor) > 0:
            return "not_history_conditioned"
        kept_from_rewards = self.loss("reward zeroed", intact, floor)
        return "history_conditioned" if kept_from_rewards > 0 else "not_by_rewards"

    def loss(self, control: str, intact: TrialHistory, floor: NDArray[np.float64]) -> float:
        """Return the lower bound of what the agent loses under a control."""
        agent = CONTROLS[control](self.agent, self.task, self.block.seed)
        history = read_history(self.play("heldout", agent))
        return deprived(history, intact, floor).figures["loss"].low

    def events(self, played: Rollout) -> dict[str, int]:
        """Return how often each event happened, in all."""
        return dict(zip(self.task.events, played.counts.sum(0).tolist(), strict=True))


def assess(agent: Agent, task: Task, block: Block, colours: dict[str, int] | None = None) -> Found:
    """Let an agent play; return verdict, objective, its probability, and counts by split.

    Arguments are those of `Evaluator`.

    Raises:
        AgentError: the agent failed while it played.
    """
    evaluator = Evaluator(agent, task, block, colours)
    return evaluator.objectives() if task.trials is None else evaluator.learning()


def judge_file(data: bytes, task: Task, block: Block, *, zero_shot: bool) -> Judged | Failure:
    """Evaluate an agent's file; call it in the sandbox alone.

    Args:
        data: the file's bytes.
        task: the task.
        block: the levels.
        zero_shot: whether its owner says that it never saw the test split.
    """
    try:
        agent = OnnxAgent(data, observation_space(task), task.actions)
        colours = suit(agent.metadata, task, zero_shot=zero_shot)
    except (AgentError, MemoryError) as error:
        return failure("refused", error)
    try:
        verdict, objective, probability, splits = assess(agent, task, block, colours)
    except NonFiniteLogits as error:
        return failure("non_finite", error)
    except (AgentError, MemoryError) as error:
        return failure("failed_to_run", error)
    return Judged(
        parameters=sum(math.prod(constant.dims) for constant in agent.model.graph.initializer),
        action="sample" if agent.action == "sample" else "greedy",
        fingerprint=fingerprint(task),
        verdict=verdict,
        objective=objective,
        probability=None if probability is None else min(1.0, float(probability)),
        splits=splits,
    )


def suit(metadata: dict[str, str], task: Task, *, zero_shot: bool) -> dict[str, int]:
    """Refuse an agent that says it was made for something else.

    Seeds of a method may be trained in different colours, so that none of them is favoured: a turn
    of all colours leaves levels what they are.

    Returns:
        The knob that turns the colours as in the agent's training; nothing where they are usual.

    Raises:
        AgentError: it names another task, or levels that are not the task's own.
    """
    env = metadata.get("env", task.id).removeprefix("MesaBench/")
    if env != task.id:
        raise AgentError(f"the file says that it is for {brief(env)}, not {task.id}")
    alpha = metadata.get("alpha", "0.0")
    if zero_shot and alpha not in ("0", "0.0"):
        raise AgentError(
            f"the file says that it was trained on test-like levels, too (alpha {brief(alpha)}): "
            "its track is open, with saw_test: true"
        )
    train = task.level("train")._asdict()
    try:
        changed = {k: v for k, v in said_knobs(task, metadata).items() if v != train[k]}
    except LevelError as error:
        raise AgentError(str(error)) from error
    colours = {k: changed.pop(k) for k in FREE_KNOBS if k in changed}
    if changed:
        raise AgentError(
            f"the file says that it was trained with {brief(changed)}; "
            "entries are about the task's own levels"
        )
    return colours


def failure(reason: Reason, error: Exception) -> Failure:
    """Say why an agent could not be evaluated; a lack of memory is a reason of its own."""
    said = f"{type(error).__name__} {error}".lower()
    short = isinstance(error, MemoryError) or any(words in said for words in NO_MEMORY)
    return Failure(reason="out_of_memory" if short else reason, detail=brief(error))


def serve(folder: Path, request: dict[str, Any], held: list[str]) -> None:
    """Evaluate ``agent.onnx`` in a folder as a request asks; write ``result.json`` there."""
    task, block = get_task(request["task"]), Block(*request["block"])
    try:
        data = (folder / "agent.onnx").read_bytes()
        found = judge_file(data, task, block, zero_shot=request["zero_shot"])
    except Exception as error:  # a defect of ours, or one that a file brought out
        traceback.print_exc()
        found = Failure(reason="crashed", detail=brief(f"{type(error).__name__}: {error}"))
    kind = "failed" if isinstance(found, Failure) else "judged"
    text = json.dumps({"held": held, kind: found.model_dump(mode="json")})
    write_atomically(folder / "result.json", text)
