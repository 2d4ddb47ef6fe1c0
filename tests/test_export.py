"""Exported Stable-Baselines3 models act as the models do, in closed loop, or are not written."""

from typing import Any

import gymnasium as gym
import numpy as np
import onnx
import pytest
import torch
from gymnasium import spaces
from gymnasium.vector.utils import batch_space
from sb3_contrib import QRDQN, MaskablePPO, RecurrentPPO
from stable_baselines3 import DQN, PPO
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from torch import nn

from mesabench.agents import one_step
from mesabench.agents.export import export_sb3, export_zip
from mesabench.agents.onnx_agent import OnnxAgent
from mesabench.agents.sb3_agent import Sb3Agent
from mesabench.errors import AgentError

torch.set_num_threads(1)

SPACE = spaces.Dict(
    image=spaces.Box(0, 10, (7, 7, 3), np.uint8),
    direction=spaces.Discrete(4),
    inventory=spaces.Box(0, 255, (1,), np.float32),
)
ACTIONS, ROWS, STEPS = 3, 32, 40


class Noise(gym.Env):
    """An environment of random observations."""

    action_space = spaces.Discrete(ACTIONS)

    def __init__(self, space: spaces.Space = SPACE):
        self.observation_space = space

    def reset(self, *, seed=None, options=None):
        return self.observation_space.sample(), {}

    def step(self, action):
        return self.observation_space.sample(), 0.0, False, False, {}


class OneHot(BaseFeaturesExtractor):
    """Dense one-hot codes, as the baselines encode images."""

    def __init__(self, space: spaces.Dict):
        super().__init__(space, 32)
        self.linear = nn.Linear(7 * 7 * 3 * 11 + 4, 32)

    def forward(self, observations):
        codes = nn.functional.one_hot(observations["image"].long(), 11).float().flatten(1)
        return torch.relu(self.linear(torch.cat([codes, observations["direction"]], dim=1)))


class Pixels(BaseFeaturesExtractor):
    """A small convolutional network, as MiniGrid's documentation has it."""

    def __init__(self, space: spaces.Box):
        super().__init__(space, 16 * 36)
        self.layers = nn.Sequential(nn.Conv2d(3, 16, 2), nn.ReLU(), nn.Flatten())

    def forward(self, observations):
        return self.layers(observations)


def recurrent(policy="MultiInputLstmPolicy", space: spaces.Space = SPACE, **options):
    options = {"lstm_hidden_size": 16, "net_arch": [], **options}
    return RecurrentPPO(
        policy, Noise(space), n_steps=8, batch_size=8, seed=0, device="cpu", policy_kwargs=options
    )


def forward(kind: Any, policy="MultiInputPolicy", space: spaces.Space = SPACE, **options):
    return kind(policy, Noise(space), seed=0, device="cpu", **options)


CODES = SPACE["image"]
ROW = spaces.Box(0, 10, (7 * 7 * 3,), np.uint8)  # what `mesabench.sb3_env` makes of it
IMAGES = spaces.Box(0, 255, (7, 7, 3), np.uint8)  # which Stable-Baselines3 transposes and scales
MODELS = {
    "critic with its own LSTM": recurrent,
    "critic without LSTM": lambda: recurrent(enable_critic_lstm=False),
    "critic sharing the LSTM": lambda: recurrent(enable_critic_lstm=False, shared_lstm=True),
    "two layers, no bias": lambda: recurrent(n_lstm_layers=2, lstm_kwargs={"bias": False}),
    "extractors apart": lambda: recurrent(share_features_extractor=False, net_arch=[8]),
    "own extractor": lambda: recurrent(features_extractor_class=OneHot),
    "image only": lambda: recurrent("MlpLstmPolicy", CODES),
    "view in one row": lambda: recurrent(space=spaces.Dict({**SPACE.spaces, "image": ROW})),
    "view in one row only": lambda: recurrent("MlpLstmPolicy", ROW),
    "PPO": lambda: forward(PPO),
    "PPO on images": lambda: forward(
        PPO, "CnnPolicy", IMAGES, policy_kwargs={"features_extractor_class": Pixels}
    ),
    "MaskablePPO": lambda: forward(MaskablePPO),
    "DQN": lambda: forward(DQN, buffer_size=10),
    "QRDQN": lambda: forward(QRDQN, buffer_size=10),
}


def opinionated(model):
    """Scale an untrained model's weights up, so that its actions vary and its memory matters."""
    with torch.no_grad():
        for parameter in model.policy.parameters():
            parameter.mul_(2)
    return model


def play(agent, space: spaces.Dict = SPACE, seed=0) -> np.ndarray:
    """Return an agent's actions [steps, rows] on random observations with random restarts."""
    batched = batch_space(space, ROWS)
    batched.seed(seed)
    restarts = np.random.default_rng(seed).random((STEPS, ROWS)) < 0.2
    restarts[0] = True
    state, played = None, []
    for start in restarts:
        actions, state = agent(batched.sample(), state, start)
        played.append(actions)
    return np.array(played)


@pytest.mark.parametrize("kind", MODELS)
def test_exported_agents_act_as_their_models_do(kind, tmp_path):
    model = opinionated(MODELS[kind]())
    path = export_sb3(model, tmp_path / "agents" / "agent.onnx")
    images_only = not isinstance(model.observation_space, spaces.Dict)
    image = IMAGES if kind == "PPO on images" else CODES
    space = spaces.Dict(image=image) if images_only else SPACE
    ours, theirs = play(OnnxAgent.load(path, space, ACTIONS), space), play(Sb3Agent(model), space)
    assert (ours == theirs).all()
    assert len(np.unique(ours)) > 1


def test_memory_matters_in_these_tests(tmp_path):
    """Otherwise agreement would say nothing about how state is carried and reset."""
    agent = Sb3Agent(opinionated(recurrent()))
    forgetful = play(lambda obs, state, start: agent(obs, None, start))
    unending = play(lambda obs, state, start: agent(obs, state, np.zeros_like(start)))
    assert (play(agent) != forgetful).any()
    assert (play(agent) != unending).any()


def drop_the_flag(monkeypatch):
    """Export as a tracer would that keeps one side of the branch on `episode_start`."""
    traced = one_step.OneLstmStep.forward

    def forward(self, *inputs):
        place = len(self.space.spaces)
        return traced(self, *inputs[:place], inputs[place] * 0, *inputs[place + 1 :])

    monkeypatch.setattr(one_step.OneLstmStep, "forward", forward)


@pytest.mark.parametrize("kind", [kind for kind in MODELS if "critic" in kind])
def test_a_graph_that_drops_episode_start_is_not_written(kind, tmp_path, monkeypatch):
    model = opinionated(MODELS[kind]())
    path = export_sb3(model, tmp_path / "agent.onnx")
    before = path.read_bytes()
    drop_the_flag(monkeypatch)
    with pytest.raises(AgentError, match="does not act as the model does"):
        export_sb3(model, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_graph_with_another_value_is_not_written(tmp_path, monkeypatch):
    heads = one_step.OneStep.heads

    def shifted(self, pi, vf):
        logits, value = heads(self, pi, vf)
        return logits, value + 0.01

    monkeypatch.setattr(one_step.OneStep, "heads", shifted)
    with pytest.raises(AgentError, match=r"values differ by 0\.01"):
        export_sb3(recurrent(), tmp_path / "agent.onnx")


def test_metadata(tmp_path):
    model = forward(PPO)
    properties = {"env": "KeysChests-v0", "level": '{"keys": 2}', "training_seed": "7"}
    path = export_sb3(model, tmp_path / "agent.onnx", metadata=properties, action="sample")
    agent = OnnxAgent.load(path, SPACE, ACTIONS)
    origin = {"algorithm": "PPO", "training_steps": "0", "action": "sample"}
    assert agent.metadata == {**origin, **properties}
    assert agent.action == "sample"


def test_the_file_says_nothing_about_the_machine(tmp_path):
    path = export_sb3(recurrent(), tmp_path / "agent.onnx")
    assert b".py" not in path.read_bytes()
    assert not any(node.doc_string for node in onnx.load(path).graph.node)


def test_exporting_leaves_the_model_in_training(tmp_path):
    model = recurrent()
    model.policy.set_training_mode(True)
    export_sb3(model, tmp_path / "agent.onnx")
    assert model.policy.training
    model.learn(8)


def test_zip_files(tmp_path):
    model = opinionated(recurrent())
    model.save(tmp_path / "model.zip")
    path = export_zip(tmp_path / "model.zip", tmp_path / "agent.onnx")
    assert (play(OnnxAgent.load(path, SPACE, ACTIONS)) == play(Sb3Agent(model))).all()
    with pytest.raises(AgentError, match=r"unknown algorithm 'RecurentPPO'.*did you mean"):
        export_zip(tmp_path / "model.zip", path, algorithm="RecurentPPO")
    with pytest.raises(
        AgentError, match=r"RecurrentPPO cannot load .* say which: --algorithm PPO,"
    ):
        export_zip(path, path)
    with pytest.raises(AgentError, match=r"no file '.*nowhere\.zip'"):
        export_zip(tmp_path / "nowhere.zip", path)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: recurrent(lstm_kwargs={"bidirectional": True}), "two directions"),
        (lambda: PPO("MlpPolicy", "Pendulum-v1", device="cpu"), "Discrete action space"),
    ],
)
def test_policies_that_are_not_covered(model, message, tmp_path):
    with pytest.raises(AgentError, match=message):
        export_sb3(model(), tmp_path / "agent.onnx")
    assert not list(tmp_path.iterdir())


def test_unknown_ways_to_act(tmp_path):
    action: Any = "greed"
    with pytest.raises(AgentError, match="did you mean 'greedy'"):
        export_sb3(forward(PPO), tmp_path / "agent.onnx", action=action)


def test_models_in_memory_take_the_keys_they_know():
    batched, start = batch_space(SPACE, ROWS).sample(), np.ones(ROWS)
    image_only = Sb3Agent(forward(PPO, "MlpPolicy", CODES))
    actions, _ = image_only(batched, None, start)
    assert (actions == image_only({"image": batched["image"]}, None, start)[0]).all()
    everything = Sb3Agent(forward(PPO))
    actions, _ = everything(batched, None, start)
    assert (actions == everything({**batched, "mission": ["go"] * ROWS}, None, start)[0]).all()
    with pytest.raises(AgentError, match="reads 'image'"):
        everything({"direction": batched["direction"]}, None, start)


def test_models_in_memory_may_draw_their_actions():
    model = forward(PPO)
    assert (play(Sb3Agent(model, deterministic=False)) != play(Sb3Agent(model))).any()
