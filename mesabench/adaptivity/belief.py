"""Belief decoding: can what a Bayes learner believes be read from the agent's recurrent state?

Ridge regression from the state before each choice to the posterior mean of each arm, fitted on one
half of the episodes and tested on the other (on a quarter of the first half the penalty is chosen).
What can be read need not be used, and a state may tell only because the last observation does, so
controls stand beside R²: the same for beliefs of *other* episodes (labels shuffled), from the
observation alone, and from the agent's network with permuted weights that saw the same (any
recurrent network is a memory of sorts).
"""

import numpy as np
from numpy.typing import NDArray

from mesabench.adaptivity.bayes import beliefs_along
from mesabench.adaptivity.figures import Resampling, Shown
from mesabench.adaptivity.outcome import complete, episodes
from mesabench.adaptivity.watching import Inner
from mesabench.beside.ridge import PENALTIES, scaling
from mesabench.learning.learner import Learner
from mesabench.scorers.returns import Estimate
from mesabench.trials import TrialHistory

FEWEST = 16  # complete episodes
VALIDATION = 4  # one in so many of the episodes to fit on


def decode_belief(learner: Learner, history: TrialHistory, inner: Inner, seed: int = 0) -> Shown:
    """Measure how well a Bayes learner's belief can be read from an agent's state.

    Args:
        learner: the Bayes learner.
        history: the agent's; only complete episodes are looked at.
        inner: what it showed meanwhile, of the first episodes.
        seed: of the shuffle and the bootstrap.
    """
    if inner.state is None:
        return Shown(notes=("no belief decoded: the agent shows no recurrent state",))
    if not np.isfinite(inner.state).all():
        return Shown(notes=("no belief decoded: the agent's state is not finite",))
    kept = np.flatnonzero(complete(history)[: len(inner.state)])
    if len(kept) < FEWEST:
        return Shown(notes=(f"no belief decoded: {len(kept)} episodes are complete",))
    belief = beliefs_along(learner, episodes(history, kept))
    shuffled = np.random.default_rng(seed).permutation(belief)
    found = {
        "belief R²": explained(inner.state[kept], belief, seed),
        "belief R², labels shuffled": explained(inner.state[kept], shuffled, seed),
        "belief R², from the observation": explained(inner.sight[kept], belief, seed),
    }
    if inner.untrained is not None:
        found["belief R², untrained"] = explained(inner.untrained[kept], belief, seed)
    return Shown(found)


def explained(features: NDArray, target: NDArray[np.float64], seed: int = 0) -> Estimate:
    """Estimate R² on the second half of the episodes of a probe fitted on the first.

    Args:
        features: [N, T, D].
        target: float64 [N, T, K]; R² is that of all K together.
        seed: of the bootstrap over episodes.
    """
    half = len(features) // 2
    known, asked = features[:half], features[half:]
    inner = np.arange(half) % VALIDATION != 0
    trial = [predict(known[inner], target[:half][inner], known[~inner], p) for p in PENALTIES]
    errors = [((found - target[:half][~inner]) ** 2).sum() for found in trial]
    best = float(PENALTIES[int(np.argmin(errors))])
    wanted = target[half:]
    missed = (wanted - predict(known, target[:half], asked, best)) ** 2
    spread = (wanted - wanted.mean((0, 1))) ** 2
    sums = np.stack([missed.sum((1, 2)), spread.sum((1, 2))], 1)
    return Resampling(len(sums), seed).read(sums, lambda s: 1 - s[..., 0] / s[..., 1])


def predict(known: NDArray, target: NDArray, asked: NDArray, penalty: float) -> NDArray[np.float64]:
    """Fit a ridge regression and predict: [n, T, D], [n, T, K], [m, T, D] → float64 [m, T, K]."""
    rows, answers = known.reshape(-1, known.shape[-1]), target.reshape(-1, target.shape[-1])
    scale = scaling(rows)
    x, y = scale(rows), answers - answers.mean(0)
    penal = penalty * len(x) * np.eye(x.shape[1])
    weights = np.linalg.solve(x.T @ x + penal, x.T @ y)
    found = scale(asked.reshape(-1, asked.shape[-1])) @ weights + answers.mean(0)
    return found.reshape(*asked.shape[:2], -1)
