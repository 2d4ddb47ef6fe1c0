"""Sums over the cells of a view take the place of one-hot codes: nothing else changes."""

from typing import Any

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from stable_baselines3.common.preprocessing import preprocess_obs

from mesabench.baselines.cell_kinds import CODES, NUM_STATES, Kinds
from mesabench.baselines.encoder import Glance, GridEncoder
from mesabench.baselines.frames import FRAMES, FramesEncoder
from mesabench.baselines.view_sums import glance, tell_apart, view_sums
from mesabench.engine.codes import NUM_COLOURS, NUM_OBJECTS
from mesabench.registry import get_task
from mesabench.sb3 import sb3_spaces


@pytest.mark.parametrize("batch", [1, 3, 300])
def test_view_sums_and_their_gradients_are_those_of_plain_indexing(batch):
    generator = th.Generator().manual_seed(batch)
    table = th.randn(4, 9, 5, generator=generator, requires_grad=True)
    bias = th.randn(5, generator=generator, requires_grad=True)
    kinds = th.randint(9, (batch, 4), generator=generator).short()
    others = th.randn(batch, 2, generator=generator)
    weights = th.randn(batch, 7, generator=generator)
    sums: Any = view_sums(table, bias, tell_apart(kinds, 9), others)
    picked = table[th.arange(4), kinds.long()].sum(1)
    plain = th.cat([th.relu(picked + bias), others], 1)
    assert th.allclose(sums, plain, atol=1e-5)
    assert th.allclose(glance(table.detach(), bias.detach(), kinds, others), plain, atol=1e-5)
    found = th.autograd.grad((sums * weights).sum(), (table, bias))
    expected = th.autograd.grad((plain * weights).sum(), (table, bias))
    for one, other in zip(found, expected, strict=True):
        assert th.allclose(one, other, atol=1e-4)
        assert other.abs().max() > 0.1


def test_gradients_that_are_expanded_are_read_as_they_are():
    """What `sum` passes down is one number seen as many."""
    table, kinds = th.zeros(2, 3, 2, requires_grad=True), th.tensor([[0, 2], [0, 1]]).short()
    sums: Any = view_sums(table, th.ones(2), tell_apart(kinds, 3), th.empty(2, 0))
    sums.sum().backward()
    assert table.grad is not None
    assert table.grad[..., 0].tolist() == [[2.0, 0.0, 0.0], [0.0, 1.0, 1.0]]


def test_kinds_are_numbered_as_they_occur():
    """Two views of two cells: codes beyond the largest of a level count as the largest."""
    image = th.tensor([[5, 0, 2, 1, 0, 0], [1, 0, 0, 5, 0, 200]], dtype=th.uint8)
    kinds = Kinds()
    assert kinds.find(image).tolist() == [[0, 1], [1, 2]]
    assert kinds.codes.shape == (3, CODES)
    places = [0, NUM_OBJECTS, NUM_OBJECTS + NUM_COLOURS]
    for kind, wanted in enumerate([(5, 0, 2), (1, 0, 0), (5, 0, NUM_STATES - 1)]):
        found = kinds.codes[kind].nonzero().flatten().tolist()
        assert found == [place + code for place, code in zip(places, wanted, strict=True)]
    assert kinds.find(image[1:, :3]).tolist() == [[1]]
    assert kinds.find(th.tensor([[2, 0, 0]])).tolist() == [[3]]
    assert kinds.count == 4


@pytest.mark.parametrize("frames", [0, 2])
def test_the_view_is_what_the_layers_make_of_one_hot_codes(frames):
    """For any codes that the space allows, also those that no level holds; gradients as well."""
    space = sb3_spaces(get_task("KeysChests-v0"))
    if frames:
        past = spaces.Box(0, 10, (147 * frames,), np.uint8)
        encoder: GridEncoder = FramesEncoder(spaces.Dict({**space.spaces, FRAMES: past}))
    else:
        encoder = GridEncoder(space)
    generator = th.Generator().manual_seed(0)
    image = th.randint(11, (64, 147 * (frames + 1)), generator=generator).float()
    seen = {"image": image}
    fast, plain = encoder.view(seen), encoder.mix(encoder.cells(seen))
    assert th.allclose(fast, plain, atol=1e-5)
    assert fast.std() > 0.01
    weights = th.randn(fast.shape, generator=generator)
    parameters = list(encoder.parameters())
    found = th.autograd.grad((fast * weights).sum(), parameters)
    expected = th.autograd.grad((plain * weights).sum(), parameters)
    for ours, theirs in zip(found, expected, strict=True):
        assert th.allclose(ours, theirs, atol=1e-3 * float(theirs.abs().max()))


@pytest.mark.parametrize("name", ["KeysChests-v0", "ElevenArms-v0"])
def test_a_glance_gives_the_features_of_observations_as_they_come_from_the_worlds(name):
    """Of kinds that it has not seen before as well; with and without rewards among what is seen."""
    space = sb3_spaces(get_task(name))
    encoder = GridEncoder(space)
    glance = Glance(encoder)
    for cells in (1, 2, 49):  # that may hold anything
        space.seed(cells)
        samples = [space.sample() for _ in range(40)]
        seen = {key: th.as_tensor(np.stack([s[key] for s in samples])) for key in space.spaces}
        seen["image"][:, 3 * cells :] = 1
        features = encoder(preprocess_obs(seen, space))  # type: ignore[arg-type]
        assert th.allclose(glance(seen), features, atol=1e-5)
        assert features.std() > 0.01
