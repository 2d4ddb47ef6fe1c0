"""Prioritised level replay: the distribution of its source, and worlds that play what is chosen."""

from typing import Any

import numpy as np
import pytest
from stable_baselines3.common.callbacks import BaseCallback

import mesabench
from mesabench.baselines.algorithms.plr import Args
from mesabench.baselines.curriculum import Curriculum, ReplayedLevels, ScoringPPO
from mesabench.baselines.level_replay import LevelScores, replay_distribution
from mesabench.baselines.recolour import Recoloured
from mesabench.baselines.train import build_model, worlds
from mesabench.engine.batch import Engine
from mesabench.errors import MesaBenchError
from mesabench.sb3 import MesaVecEnv

TASK = mesabench.get_task("KeysChests-v0")
WORLDS = 8
ARGS = Args(num_envs=WORLDS, rollout=40, hidden=8, lstm=8, kept_levels=64, threads=1)

SCORES, STALENESS = np.array([3.0, 1.0, 2.0]), np.array([0, 4, 12])
# Ranks 1, 3, 2 with β = 1/2 weigh 1, 1/9 and 1/4; the staleness has a share of 1/4.
CLOSED_FORM = 0.75 * np.array([36, 4, 9]) / 49 + 0.25 * np.array([0, 4, 12]) / 16


class Chosen(Curriculum):
    """Chooses the levels 100, 101, ... and nothing else."""

    def __init__(self):
        super().__init__(table(), worlds=WORLDS, replay=0.5, positive=False, seed=0)
        self.following = 100

    def choose(self, count: int, span: int) -> np.ndarray:
        self.following += count
        return np.arange(self.following - count, self.following)


def table(size: int = 3) -> LevelScores:
    """The levels 10, 20 and 30 with the scores and the staleness above."""
    found = LevelScores(size, temperature=0.5, mix=0.25)
    for level, score in zip((10, 20, 30), SCORES, strict=True):
        found.record(np.array([level]), np.array([score]))
    found.episodes = 20
    found.begun = 20 - STALENESS
    return found


def test_levels_are_replayed_by_rank_and_staleness():
    found = replay_distribution(SCORES, STALENESS, temperature=0.5, mix=0.25)
    assert np.allclose(found, CLOSED_FORM)
    only_ranks = replay_distribution(SCORES, 0 * STALENESS, temperature=0.5, mix=0.25)
    assert np.allclose(only_ranks, np.array([36, 4, 9]) / 49)


def test_draws_have_that_distribution():
    count = 100_000
    drawn = table().draw(count, np.random.default_rng(0))
    shares = np.array([(drawn == level).mean() for level in (10, 20, 30)])
    assert shares.sum() == 1
    assert (abs(shares - CLOSED_FORM) < 5 * np.sqrt(CLOSED_FORM / count)).all()


def test_a_level_that_is_drawn_is_stale_no_more():
    found = table()
    found.episodes += 1
    drawn = found.draw(1, np.random.default_rng(0))
    found.begin(drawn)
    assert ((found.begun == found.episodes) == (found.levels == drawn)).all()


def test_a_level_is_stale_no_more_where_it_was_drawn_as_a_new_one():
    curriculum = Curriculum(table(), worlds=2, replay=0.0, positive=False, seed=0)
    curriculum.choose(200, 21)  # the levels 10 and 20 among them
    begun = curriculum.scores.begun == curriculum.scores.episodes
    assert begun.tolist() == [True, True, False]


def test_the_last_score_of_a_level_counts():
    found = table()
    found.record(np.array([20, 20]), np.array([7.0, 5.0]))
    assert dict(zip(found.levels, found.scores, strict=True)) == {10: 3.0, 20: 5.0, 30: 2.0}


@pytest.mark.parametrize(("score", "kept"), [(1.5, [10, 30, 40]), (0.5, [10, 20, 30])])
def test_a_new_level_takes_the_place_of_the_least_likely_if_its_score_is_higher(score, kept):
    assert CLOSED_FORM.argmin() == 1  # the level 20, whose score is 1
    found = table()
    found.record(np.array([40]), np.array([score]))
    assert sorted(found.levels) == kept


def test_a_score_is_the_mean_error_over_an_episode_even_across_rollouts():
    chosen = Curriculum(table(9), worlds=2, replay=0.5, positive=False, seed=0)
    positive = Curriculum(table(9), worlds=2, replay=0.5, positive=True, seed=0)
    done = np.array([[0, 0], [1, 0], [0, 0], [1, 1]], bool)
    levels = np.array([[1, 2], [1, 2], [3, 2], [3, 2]])
    errors = np.array([[1, -2], [-3, 4], [5, -6], [-7, 8]], np.float32)
    for curriculum in (chosen, positive):
        for part in (slice(0, 3), slice(3, 4)):
            curriculum.steps.extend(zip(done[part], levels[part], strict=True))
            curriculum.learn(errors[part])
    scores = [dict(zip(c.scores.levels, c.scores.scores, strict=True)) for c in (chosen, positive)]
    assert [scores[0][level] for level in (1, 3, 2)] == [2.0, 6.0, 5.0]
    assert [scores[1][level] for level in (1, 3, 2)] == [0.5, 2.5, 3.0]


def test_old_levels_are_chosen_as_often_as_asked():
    curriculum = Curriculum(table(), worlds=2, replay=0.3, positive=False, seed=0)
    count, span = 20_000, 2**32 - 1
    old = np.isin(curriculum.choose(count, span), [10, 20, 30]).mean()
    assert abs(old - 0.3) < 5 * np.sqrt(0.3 * 0.7 / count)
    assert (curriculum.choose(1000, 5) < 31).all()


def play(env: MesaVecEnv, steps: int) -> Any:
    rng = np.random.default_rng(0)
    obs: Any = env.reset()
    for _ in range(steps):
        before = obs
        obs, reward, done, infos = env.step(rng.integers(3, size=env.num_envs))
        yield before, obs, reward, done, infos


def test_worlds_play_the_levels_that_are_chosen():
    env = ReplayedLevels(TASK.id, WORLDS, curriculum=Chosen(), seed=5)
    fresh = Engine(TASK, "train", batch=1, seed=None, autoreset=False)
    following, playing = 100, {}
    for before, obs, _, done, infos in play(env, TASK.horizon + 30):
        del before
        for b, info in enumerate(infos):
            assert info["level"] == playing.get(b, info["level"])
            playing[b] = info["level"]
        for b in np.flatnonzero(done):
            playing[b] = f"{TASK.id}/train/{following}"
            fresh.reset(levels=following)
            assert (obs["image"][b] == fresh.world.image[0, 0].ravel()).all()
            following += 1
    assert following >= 100 + WORLDS


def test_an_episode_ends_as_in_worlds_that_reset_themselves():
    replayed = play(ReplayedLevels(TASK.id, WORLDS, curriculum=Chosen(), seed=5), TASK.horizon)
    usual = play(MesaVecEnv(TASK.id, WORLDS, seed=5), TASK.horizon)
    first, ends = np.ones(WORLDS, bool), 0
    for (seen, _, *ours), (same, _, *theirs) in zip(replayed, usual, strict=True):
        for b in np.flatnonzero(first):
            assert all((seen[key][b] == same[key][b]).all() for key in seen)
            assert [part[b] for part in ours[:2]] == [part[b] for part in theirs[:2]]
            np.testing.assert_equal(ours[2][b], theirs[2][b])
        ends += int((ours[1] & first).sum())
        first &= ~ours[1]
    assert ends == WORLDS


class Reckon(BaseCallback):
    """Scores the levels anew after every rollout, episode by episode."""

    def __init__(self):
        super().__init__()
        self.open: list[list[float]] = [[] for _ in range(WORLDS)]
        self.scores: dict[int, float] = {}

    def _on_step(self) -> bool:
        return True

    def _on_rollout_end(self) -> None:
        model: Any = self.model
        (steps, *_) = (c.steps for c in model.env.get_attr("curriculum"))
        for errors, (done, levels) in zip(model.rollout_buffer.advantages, steps, strict=True):
            for b in range(WORLDS):
                self.open[b].append(abs(float(errors[b])))
                if done[b]:
                    self.scores[int(levels[b])] = float(np.mean(self.open[b]))
                    self.open[b] = []


@pytest.mark.parametrize("recolour", [False, True])
def test_training_scores_levels_by_the_advantages_of_their_last_episode(recolour):
    args = Args(num_envs=WORLDS, rollout=40, hidden=8, lstm=8, threads=1, recolour=recolour)
    model, reckoned = build_model(TASK, args), Reckon()
    assert isinstance(model, ScoringPPO)
    assert model.env is not None
    model.learn(WORLDS * (TASK.horizon + 100), callback=reckoned)
    kept = model.env.get_attr("curriculum")[0].scores
    assert len(reckoned.scores) >= WORLDS
    found = dict(zip(kept.levels.tolist(), kept.scores.tolist(), strict=True))
    assert found == pytest.approx(reckoned.scores, rel=1e-5)


def test_colours_can_be_permuted_as_well():
    args = Args(num_envs=WORLDS, recolour=True)
    assert isinstance(worlds(TASK, args), Recoloured)


def test_few_levels_are_all_that_is_played():
    env = worlds(TASK, Args(num_envs=WORLDS, num_levels=5))
    told = (info for *_, infos in play(env, 600) for info in infos if info)  # type: ignore[arg-type]
    names = {info["level"] for info in told}
    assert names <= {f"{TASK.id}/train/{i}" for i in range(5)}
    assert len(names) > 1


@pytest.mark.parametrize("task_id", mesabench.task_ids(None))
def test_tasks_declare_whether_an_episode_leaves_something_to_the_next(task_id):
    task = mesabench.get_task(task_id)
    written = getattr(task.advance, "py_func", task.advance).__code__.co_names
    assert task.hands_on == (not {"past", "heir"}.isdisjoint(written))


def test_the_task_in_which_episodes_hand_something_on_is_refused():
    with pytest.raises(MesaBenchError, match=r"leaves to the next.*'recurrent-ppo'"):
        worlds(mesabench.get_task("CrossEpisode-v0"), ARGS)


@pytest.mark.parametrize("wrong", [{"replay": 1.5}, {"staleness": -0.1}, {"temperature": 0.0}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(MesaBenchError, match=next(iter(wrong))):
        worlds(TASK, Args(**wrong))
