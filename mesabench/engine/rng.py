"""Counter-based randomness: draw n of a stream depends on the stream's key and n alone.

The generator is SplitMix64 (Steele, Lea & Flood 2014) read at an arbitrary position, so that a
level is the same bits on every machine, in every batch size and in every order of play.
"""

import hashlib

import numpy as np

from mesabench.engine.cache import inner

GAMMA = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
S27, S30, S31, S32 = np.uint64(27), np.uint64(30), np.uint64(31), np.uint64(32)
KEY, COUNTER = 0, 1  # columns of `World.rng`


@inner
def mix(z):
    """Return the SplitMix64 finaliser of the 64-bit word `z`."""
    z = (z ^ (z >> S30)) * MIX_1
    z = (z ^ (z >> S27)) * MIX_2
    return z ^ (z >> S31)


@inner
def combine(key, value):
    """Derive a new stream key from a key and an integer."""
    return mix(mix(key) ^ (np.uint64(value) * GAMMA + MIX_1))


@inner
def below(word, n):
    """Map the 64-bit `word` to an integer in [0, n), for n < 2³² (Lemire's multiply)."""
    return np.int64(((word >> S32) * np.uint64(n)) >> S32)


@inner
def seed(world, b, key):
    """Start world `b`'s stream afresh at `key`."""
    world.rng[b, KEY] = key
    world.rng[b, COUNTER] = np.uint64(0)


@inner
def randint(world, b, n):
    """Draw an integer in [0, n) from world `b`'s stream."""
    world.rng[b, COUNTER] += np.uint64(1)
    return below(mix(world.rng[b, KEY] + world.rng[b, COUNTER] * GAMMA), n)


def stream_key(*parts: str | int) -> int:
    """Return a 64-bit random key that is a function of `parts` on every machine."""
    text = "/".join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little")
