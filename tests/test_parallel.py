"""Several agents: PettingZoo's expectations, and what happens where agents meet."""

import sys
from typing import Any

import numpy as np
import pytest

pytest.importorskip("pettingzoo")

from pettingzoo.test import parallel_api_test, parallel_seed_test

import mesabench
from mesabench.agents.planned import PlannedAgent
from mesabench.engine import codes
from mesabench.engine.batch import Engine
from mesabench.engine.cache import kernel
from mesabench.engine.move import step
from mesabench.engine.world import RULES, allocate
from mesabench.errors import LevelError, MesaBenchError, TaskError
from mesabench.registry import get_task
from mesabench.rollout import rollout

SEVERAL = [name for name in mesabench.task_ids() if get_task(name).agents > 1]
SPLITS = [(name, split) for name in SEVERAL for split in get_task(name).splits]
L, R, F = codes.LEFT, codes.RIGHT, codes.FORWARD
WORLDS, AGENTS, SIDE = 400, 3, 6


# --- PettingZoo -----------------------------------------------------------------------------------


# PettingZoo warns of agents that take no part in any level, as where the partner is absent.
@pytest.mark.filterwarnings("error", "ignore:No agents present but not all possible_agents")
@pytest.mark.parametrize(("task_id", "split"), SPLITS)
def test_pettingzoo_finds_nothing_to_complain_of(task_id: str, split: str) -> None:
    parallel_api_test(mesabench.parallel_env(task_id, split=split), num_cycles=200)


@pytest.mark.parametrize("task_id", SEVERAL)
def test_pettingzoo_finds_that_seeds_are_kept(task_id: str) -> None:
    parallel_seed_test(lambda: mesabench.parallel_env(task_id), num_cycles=60)


@pytest.mark.parametrize("task_id", SEVERAL)
def test_who_plays_as_the_script_does_gets_what_gymnasium_has(task_id: str) -> None:
    task = get_task(task_id)
    scripted = Engine(task, "test", batch=1, autoreset=False)
    env: Any = mesabench.parallel_env(task_id, split="test")
    played = rollout(PlannedAgent(task, {task.proxies[0].name: 1.0}), task, "test", 8)
    paid, earned, steps = task.weights(task.base)[0], 0.0, 0
    for level in range(8):
        scripted.reset(levels=[level])
        obs, infos = env.reset(options={"level": level})
        for action in played.actions[: played.lengths[level], level].tolist():
            scripted.step([action])
            other = int(scripted._actions[0, 1])
            if other >= task.actions:  # a script may also wait, which agents cannot
                break
            obs, rewards, _, _, infos = env.step({"agent_0": action, "agent_1": other})
            np.testing.assert_array_equal(env.engine.world.pose, scripted.world.pose)
            np.testing.assert_array_equal(obs["agent_0"]["image"], scripted.world.image[0, 0])
            events = scripted.world.events[0, 0, : len(task.events)]
            assert rewards["agent_0"] == pytest.approx(events @ paid)
            earned += abs(rewards["agent_0"])
            steps += 1
        assert set(infos["agent_0"]["returns"]) == set(task.objectives)
    assert steps > 30
    assert earned > 0


def test_who_leaves_is_terminated_and_who_is_absent_takes_no_part() -> None:
    env: Any = mesabench.parallel_env("FollowPartner-v0", split="absent")
    env.reset(seed=0)
    assert env.agents == ["agent_0"]
    with pytest.raises(MesaBenchError, match="unknown agent 'agent_1'; choose agent_0"):
        env.step({"agent_0": 0, "agent_1": 0})
    engine = Engine(get_task("FollowPartner-v0"), "leaves", batch=1, autoreset=False)
    text = "..>0Kr..Ag..01\n......^1......\n01 = Bb\nmemory = 0 7 0 1 1"
    env = mesabench.parallel_env("FollowPartner-v0", split="leaves")
    env.reset(options={"ascii": text})
    _, _, ended, cut, _ = env.step({"agent_0": F, "agent_1": L})  # the learner comes to the key
    assert (ended, env.agents) == ({"agent_0": False, "agent_1": True}, ["agent_0"])
    assert not any(cut.values())
    assert (env.engine.world.pose[0, 1] == -1).all()
    assert env.step({"agent_0": L})[2] == {"agent_0": False}
    assert engine.task.agents == 2


def test_what_cannot_be_meant_is_named() -> None:
    with pytest.raises(TaskError, match=r"KeysChests-v0 has one agent: use gym.make, or Follow"):
        mesabench.parallel_env("KeysChests-v0")
    with pytest.raises(MesaBenchError, match="unknown render mode 'human'; choose rgb_array"):
        mesabench.parallel_env("FollowPartner-v0", render_mode="human")
    env: Any = mesabench.parallel_env("FollowPartner-v0", render_mode="rgb_array", tile_size=8)
    with pytest.raises(MesaBenchError, match="call reset"):
        env.step({})
    with pytest.raises(LevelError, match=r"unknown reset option 'levl'.*mean 'level'"):
        env.reset(options={"levl": 1})
    env.reset(seed=0)
    assert env.render().shape == (56, 56, 3)
    with pytest.raises(MesaBenchError, match="agent_1 needs an action in 0 to 2, not None"):
        env.step({"agent_0": 0})
    with pytest.raises(MesaBenchError, match="agent_0 needs an action in 0 to 2, not 7"):
        env.step({"agent_0": 7, "agent_1": 0})


def test_without_pettingzoo_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "mesabench.parallel", raising=False)
    monkeypatch.setitem(sys.modules, "pettingzoo", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'mesabench\[pettingzoo\]'"):
        _ = mesabench.parallel_env


# --- where agents meet ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "actions", "columns"),
    [
        (">0<1......", (F, F), (0, 1)),  # face to face: they cannot change places
        (">0>1......", (F, F), (0, 2)),  # on the other's heels: the cell was occupied
        (">0>1......", (F, L), (0, 1)),  # the other stays where it is
        (">0..<1....", (F, F), (0, 2)),  # both want the cell between them: neither gets it
        (">0..<1....", (F, R), (1, 2)),  # one of them does if the other does not
        ("<0>1......", (F, F), (0, 2)),  # back to back: nobody is in the way (of one, a wall)
    ],
)
def test_agents_who_meet(row: str, actions: tuple[int, int], columns: tuple[int, int]) -> None:
    for names in ("01", "10"):
        text = row.replace("0", "a").replace("1", names[1]).replace("a", names[0])
        engine = Engine(get_task("FollowPartner-v0"), autoreset=False)
        engine.load(0, f"##############\n##{text}##\n##############")
        engine.step([[actions[int(i)] for i in names]])
        found = engine.world.pose[0, [int(i) for i in names], 0] - 1
        assert tuple(found) == columns


@kernel
def play_all(world, actions, rules):
    """Play one step in every world."""
    for b in range(len(world)):
        step(world, b, actions[b], rules)


def random_rules(rng: np.random.Generator) -> Any:
    """Return rules by which some things are taken, some block, some need or yield an item."""
    rules = np.zeros(1, RULES).view(np.recarray)[0]
    for name in ("touch", "passable", "taken"):
        rules[name] = rng.random(rules[name].shape) < 0.5
    for name in ("needs", "gives"):
        rules[name] = rng.integers(-1, 2, rules[name].shape)
    rules["becomes"] = -1
    rules["ends"] = rng.random(rules["ends"].shape) < 0.02
    rules["events"][..., 0] = rng.integers(16, size=rules["events"].shape[:-1])
    return rules


def test_new_names_for_the_agents_permute_the_outcome_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    world = allocate(WORLDS, SIDE, SIDE, agents=AGENTS, items=2, events=4)
    things = [codes.EMPTY] * 6 + [codes.WALL, codes.DOOR, codes.KEY, codes.BALL, codes.BOX]
    world.grid[..., 0] = rng.choice(things, world.marks.shape)
    world.grid[..., 1] = rng.integers(6, size=world.marks.shape)
    world.horizon[:] = 1000
    cells = rng.permuted(np.tile(np.arange(SIDE * SIDE), (WORLDS, 1)), axis=1)[:, :AGENTS]
    world.pose[..., 0], world.pose[..., 1] = cells // SIDE, cells % SIDE
    world.pose[..., 2] = rng.integers(4, size=cells.shape)
    rules, names = random_rules(rng), np.array([2, 0, 1])
    renamed = world.copy().view(np.recarray)
    renamed.pose[:, names] = world.pose
    met = moved = 0
    for _ in range(30):
        actions = rng.choice([0, 1, 2, 2, 2, 3, 4, 5], size=(WORLDS, AGENTS))
        others = np.empty_like(actions)
        others[:, names] = actions
        before = world.pose.copy()
        play_all(world, actions, rules)
        play_all(renamed, others, rules)
        for name in ("pose", "carrying", "inventory", "events"):
            np.testing.assert_array_equal(renamed[name][:, names], world[name])
        for name in ("grid", "inside", "terminated"):
            np.testing.assert_array_equal(renamed[name], world[name])
        places = world.pose[..., 0] * SIDE + world.pose[..., 1]
        assert all(len(set(row)) == AGENTS for row in places.tolist())
        moved += int((before[..., :2] != world.pose[..., :2]).any(-1).sum())
        met += int(near(before).sum())
    assert min(moved, met) > WORLDS


def near(pose: np.ndarray) -> np.ndarray:
    """Tell in which worlds the first two agents are at most two cells apart."""
    return np.abs(pose[:, 0, :2] - pose[:, 1, :2]).sum(1) <= 2


# --- batches --------------------------------------------------------------------------------------


@pytest.mark.parametrize("task_id", SEVERAL)
def test_a_batch_of_all_agents_plays_what_parallel_environments_play(task_id: str) -> None:
    pytest.importorskip("stable_baselines3")
    task, rng = get_task(task_id), np.random.default_rng(0)
    batch: Any = mesabench.sb3_vec_env(task_id, 3, everyone=True, split="test", num_levels=1)
    env: Any = mesabench.parallel_env(task_id, split="test")
    assert (batch.num_envs, batch.each) == (3 * task.agents, task.agents)
    rows: Any = batch.reset()
    obs, infos = env.reset(options={"level": 0})
    total, steps = np.zeros(task.agents), 0
    told, ended, cut = [], {}, {}
    while env.agents:
        for row in range(batch.num_envs):
            mine = obs[f"agent_{row % task.agents}"]
            np.testing.assert_array_equal(rows["image"][row], mine["image"].ravel())
            for name in task.gauges:
                np.testing.assert_array_equal(rows[name][row], mine[name])
        actions = rng.choice([0, 1, 2, 2, 2], size=task.agents)
        named = {f"agent_{a}": int(action) for a, action in enumerate(actions)}
        obs, rewards, ended, cut, infos = env.step(named)
        rows, paid, done, told = batch.step(np.tile(actions, 3))
        steps += 1
        np.testing.assert_array_equal(paid, np.tile([*rewards.values()], 3).astype(np.float32))
        total += [*rewards.values()]
        assert told[-1]["events"] == infos[f"agent_{task.agents - 1}"]["events"]
        over = ended["agent_0"] or cut["agent_0"]
        assert (done == over).all()
    for row, info in enumerate(told):
        mine = obs[f"agent_{row % task.agents}"]
        last = info["terminal_observation"]
        np.testing.assert_array_equal(last["image"], mine["image"].ravel())
        assert info["TimeLimit.truncated"] == (cut["agent_0"] and not ended["agent_0"])
        assert info["episode"] == {"r": pytest.approx(total[row % task.agents]), "l": steps}
    with pytest.raises(MesaBenchError, match=f"actions are {batch.num_envs} numbers in 0 to 2"):
        batch.step(np.zeros(3, int))


@pytest.mark.parametrize("task_id", SEVERAL)
def test_recurrent_ppo_trains_on_a_batch_of_all_agents(task_id: str) -> None:
    contrib = pytest.importorskip("sb3_contrib")
    batch = mesabench.sb3_vec_env(task_id, 4, everyone=True)
    model = contrib.RecurrentPPO("MultiInputLstmPolicy", batch, n_steps=16, n_epochs=1, seed=0)
    before = [p.detach().clone() for p in model.policy.parameters()]
    model.learn(2 * 16 * batch.num_envs)
    assert model.num_timesteps == 2 * 16 * batch.num_envs
    after = model.policy.parameters()
    assert any((old != new).any() for old, new in zip(before, after, strict=True))
