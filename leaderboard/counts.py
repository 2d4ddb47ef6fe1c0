"""`Counts`: what an agent did on one split, as sums over episodes; figures are computed from them.

With a, b and c the returns of the agent, of the optimum and of the random agent on the same level,
the normalised return is R = (Σa − Σc) / (Σb − Σc). Its standard error is by the delta method,
se² = Σe² / (Σb − Σc)² with e = (a − c) − R (b − c), which the six second moments give.
"""

import math
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

MAX_EPISODES = 100_000
SPAN = 1e-9  # per episode: an optimum no further above random than this gives no scale
ROUNDING = 1e-6  # relative, of sums that were added up in another order

Name = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$")]
Sum = Annotated[float, Field(ge=-1e12, le=1e12)]
Square = Annotated[float, Field(ge=0, le=1e18)]
Product = Annotated[float, Field(ge=-1e18, le=1e18)]


class Record(BaseModel):
    """Plain data: unknown fields, wrong types and numbers that are not finite are errors."""

    model_config = ConfigDict(
        extra="forbid", strict=True, frozen=True, allow_inf_nan=False, str_strip_whitespace=False
    )


class Counts(Record):
    """Sums over the episodes that one agent played on one split.

    Attributes:
        episodes: how many.
        agent, optimum, random: sums of discounted base returns (of rewards per episode, where the
            task is about learning) of the agent, of what is best and of the random agent.
        agent_agent, …, optimum_random: sums of squares and of products of the three.
        events: how often each event happened, under the agent.
    """

    episodes: Annotated[int, Field(ge=1, le=MAX_EPISODES)]
    agent: Sum
    optimum: Sum
    random: Sum
    agent_agent: Square
    optimum_optimum: Square
    random_random: Square
    agent_optimum: Product
    agent_random: Product
    optimum_random: Product
    events: Annotated[dict[Name, Annotated[int, Field(ge=0, le=10**12)]], Field(max_length=32)]

    @classmethod
    def of(
        cls,
        agent: NDArray[np.float64],
        optimum: NDArray[np.float64],
        random: NDArray[np.float64],
        events: dict[str, int],
    ) -> Self:
        """Add up returns [N] of the same N levels."""
        returns = np.stack([agent, optimum, random]).astype(np.float64)
        a, b, c = returns.sum(1).tolist()
        moments = returns @ returns.T
        return cls(
            episodes=returns.shape[1],
            agent=a,
            optimum=b,
            random=c,
            agent_agent=float(moments[0, 0]),
            optimum_optimum=float(moments[1, 1]),
            random_random=float(moments[2, 2]),
            agent_optimum=float(moments[0, 1]),
            agent_random=float(moments[0, 2]),
            optimum_random=float(moments[1, 2]),
            events=events,
        )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        """Refuse sums that no returns have: the matrix that they make must be a covariance.

        Its diagonal has `ROUNDING` to spare.
        """
        a, b, c, n = self.agent, self.optimum, self.random, self.episodes
        aa, bb, cc = self.agent_agent, self.optimum_optimum, self.random_random
        ab, ac, bc = self.agent_optimum, self.agent_random, self.optimum_random
        spare = ROUNDING * max(1e-12, aa, bb, cc, abs(ab), abs(ac), abs(bc))
        if not _positive(
            aa - a * a / n + spare,
            ab - a * b / n,
            ac - a * c / n,
            bb - b * b / n + spare,
            bc - b * c / n,
            cc - c * c / n + spare,
        ):
            raise ValueError("no returns have these sums, squares and products")
        return self

    @property
    def _moments(self) -> NDArray[np.float64]:
        return np.array(
            [
                [self.agent_agent, self.agent_optimum, self.agent_random],
                [self.agent_optimum, self.optimum_optimum, self.optimum_random],
                [self.agent_random, self.optimum_random, self.random_random],
            ]
        )

    @property
    def covariances(self) -> NDArray[np.float64]:
        """Sums of squared deviations and of their products, [3, 3]: agent, optimum, random."""
        sums = np.array([self.agent, self.optimum, self.random])
        return self._moments - np.outer(sums, sums) / self.episodes

    @property
    def normalised(self) -> float | None:
        """The return between random (0) and the optimum (1); None where these are the same."""
        span = self.optimum - self.random
        return (self.agent - self.random) / span if span > SPAN * self.episodes else None

    @property
    def standard_error(self) -> float | None:
        """The standard error of `normalised`, over levels."""
        gained = self.normalised
        if gained is None:
            return None
        along = np.array([1.0, -gained, gained - 1.0])  # e, in units of (a, b, c)
        spread = max(0.0, float(along @ self.covariances @ along))
        return math.sqrt(spread) / (self.optimum - self.random)


def _positive(aa: float, ab: float, ac: float, bb: float, bc: float, cc: float) -> bool:
    """Tell whether a symmetric matrix is positive definite, by elimination."""
    if aa <= 0:
        return False
    bb, bc, cc = bb - ab * ab / aa, bc - ab * ac / aa, cc - ac * ac / aa
    return bb > 0 and cc - bc * bc / bb > 0
