"""The algorithms, one module each, found by the name that `--algorithm` takes.

A module has

* ``Args``: its settings, a subclass of `Settings`, whose fields are its command-line options;
* ``build(task, args, env) -> BaseAlgorithm``: an untrained model on a batch of worlds;
* and, where the usual ones will not do, ``make_env(task, args) -> VecEnv`` (what it
  trains on), or ``train(task, args, folder, console) -> Path`` (the whole training).

A module is imported when its algorithm is chosen: some of them need torch for their networks.
"""

from importlib import import_module
from types import ModuleType

from mesabench.errors import MesaBenchError, unknown

FLAGSHIP = "recurrent-ppo"
ALGORITHMS = {
    FLAGSHIP: "RecurrentPPO (LSTM)",
    "ppo": "PPO without memory",
    "ppo-frames": "PPO that sees its last views",
    "qrdqn": "QR-DQN, value-based and without memory",
    "plr": "RecurrentPPO with prioritised level replay",
    "ensemble": "several RecurrentPPO agents that decide together",
    "gru-ppo": "RecurrentPPO with a GRU",
    "drc": "Deep Repeated ConvLSTM, which thinks several ticks before it acts",
    "planner-head": "PPO with value iteration on its view (VIN)",
}


def get_algorithm(name: str) -> ModuleType:
    """Return the module of an algorithm.

    Raises:
        MesaBenchError: there is none of that name.
    """
    if name not in ALGORITHMS:
        raise MesaBenchError(unknown("algorithm", name, ALGORITHMS))
    return import_module(f"{__name__}.{name.replace('-', '_')}")
