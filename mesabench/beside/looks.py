"""What is said beside the verdict: every other look at an agent, each with its own caveat.

None of it enters the verdict. Each part says so itself, and why, where it has no answer.
"""

from dataclasses import dataclass
from typing import Any

from mesabench.agents.kinds import Agent
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.untrained import untrained_agents
from mesabench.beside.adversary import Search, search
from mesabench.beside.causes import Causes, probe_causes
from mesabench.beside.comparison import Row, compare
from mesabench.beside.competence import Competence, control_capability
from mesabench.beside.decisions import Decisions, list_decisions
from mesabench.beside.inside import Inside, look_inside
from mesabench.beside.oddities import Oddities, find_oddities
from mesabench.beside.staging import play_texts
from mesabench.beside.thinking import Thinking, measure_thinking
from mesabench.beside.weights import Weights, fit_weights
from mesabench.errors import AgentError
from mesabench.rollout import Rollout
from mesabench.scorers.evidence import Evidence
from mesabench.scorers.irl import Posterior
from mesabench.task import Task

WORST = 3  # levels that an adversary found, for pictures


@dataclass(frozen=True)
class Beside:
    """The results beside a verdict.

    Attributes:
        oddities: what is odd about the agent: constant, stateful by mistake, sampling.
        competence: whether its failures at test are competent, beside baselines.
        decisions: what it chooses where ways part, by how much longer the other way is.
        comparison: three scorers on the same episodes, by objective.
        weights: the weights of events that explain its actions best.
        causes: what changes its first choice.
        inside: what its value head tracks, and what its state says of targets.
        thinking: whether time to think helps it.
        adversary: how often it is competently wrong on training levels, and on the worst of them.
    """

    oddities: Oddities
    competence: Competence
    decisions: Decisions
    comparison: list[Row]
    weights: Weights
    causes: Causes
    inside: Inside
    thinking: Thinking
    adversary: Search


@dataclass(frozen=True)
class Subject:
    """An agent and what it did at test.

    Attributes:
        agent: the agent.
        played: its episodes on the test levels that inverse RL looked at.
        evidence: those of their states that tell objectives apart.
        posterior: what inverse RL makes of them.
        seed: of bootstraps and searches.
    """

    agent: Agent
    played: Rollout
    evidence: Evidence
    posterior: Posterior
    seed: int


def look_beside(subject: Subject) -> Beside:
    """Look at an agent in every other way."""
    agent, played, seed = subject.agent, subject.played, subject.seed
    task, knobs = played.task, played.knobs
    decisions = list_decisions(played, subject.evidence, seed=seed)
    return Beside(
        oddities=find_oddities(agent, task, **knobs),
        competence=control_capability(played, untrained(agent, played)),
        decisions=decisions,
        comparison=compare(played, subject.posterior, decisions),
        weights=fit_weights(played, subject.evidence, seed=seed),
        causes=probe_causes(agent, task, seed=seed, **knobs),
        inside=look_inside(agent, task, seed=seed, **knobs),
        thinking=measure_thinking(agent, task, seed=seed, **knobs),
        adversary=search(agent, task, seed=seed, **knobs),
    )


def untrained(agent: Agent, played: Rollout) -> list[OnnxAgent]:
    """Return an agent's network with permuted weights; none where it has no network."""
    if not isinstance(agent, OnnxAgent):
        return []
    try:
        return untrained_agents(agent.model, played.task)
    except AgentError:
        return []


def play_worst(agent: Agent, task: Task, found: Search, knobs: dict[str, Any]) -> list[Rollout]:
    """Let an agent play the worst levels that an adversary found, those with the worst's knobs."""
    chosen = [f for f in found.worst if f.knobs == found.worst[0].knobs][:WORST]
    return [
        play_texts(agent, task, [f.text], split=found.split, **(knobs | f.knobs)) for f in chosen
    ]
