"""Sums of a table's rows take the place of one-hot codes: nothing else changes."""

import numpy as np
import pytest
import torch as th
from gymnasium import spaces
from stable_baselines3.common.preprocessing import preprocess_obs

from mesabench.baselines.cell_kinds import CODES, NUM_STATES, Kinds
from mesabench.baselines.encoder import Glance, GridEncoder
from mesabench.baselines.frames import FRAMES, FramesEncoder
from mesabench.baselines.row_sums import row_sums
from mesabench.engine.codes import NUM_COLOURS, NUM_OBJECTS
from mesabench.registry import get_task
from mesabench.sb3 import sb3_spaces


@pytest.mark.parametrize("batch", [1, 3, 300])
def test_row_sums_and_their_gradients_are_those_of_plain_indexing(batch):
    """With columns of codes that share rows of the table; more samples than a block has as well."""
    generator = th.Generator().manual_seed(batch)
    table = th.randn(9, 5, generator=generator, dtype=th.float32, requires_grad=True)
    rows = th.randint(9, (batch, 4), generator=generator).int()
    weights = th.randn(batch, 5, generator=generator)
    sums, plain = row_sums(table, rows), table[rows.long()].sum(1)
    assert th.allclose(sums, plain, atol=1e-5)
    (found,) = th.autograd.grad((sums * weights).sum(), table)
    (expected,) = th.autograd.grad((plain * weights).sum(), table)
    assert th.allclose(found, expected, atol=1e-4)
    assert expected.abs().max() > 0.1


def test_gradients_that_are_expanded_are_read_as_they_are():
    """What `sum` passes down is one number seen as many."""
    table = th.zeros(3, 2, requires_grad=True)
    row_sums(table, th.tensor([[0, 0, 2]], dtype=th.int32)).sum().backward()
    assert table.grad is not None
    assert table.grad.tolist() == [[2.0, 2.0], [0.0, 0.0], [1.0, 1.0]]


def test_kinds_are_numbered_as_they_occur_and_rows_lie_cell_by_cell():
    """Two views of two cells: codes beyond the largest of a level count as the largest."""
    image = th.tensor([[5, 0, 2, 1, 0, 0], [1, 0, 0, 5, 0, 200]], dtype=th.uint8)
    kinds = Kinds()
    rows = kinds.find(image)
    assert kinds.codes.shape == (3, CODES)
    places = [0, NUM_OBJECTS, NUM_OBJECTS + NUM_COLOURS]
    for kind, wanted in enumerate([(5, 0, 2), (1, 0, 0), (5, 0, NUM_STATES - 1)]):
        found = kinds.codes[kind].nonzero().flatten().tolist()
        assert found == [place + code for place, code in zip(places, wanted, strict=True)]
    assert rows.tolist() == [[0, 3 + 1], [1, 3 + 2]]
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
