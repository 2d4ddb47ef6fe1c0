"""Episodes: which level each world plays, when the next one begins, what became of the last.

A task's batch loop is a few lines around its level generator::

    @kernel
    def advance(world, course, actions, rules, knobs, low, high):
        for b in range(low, high):
            if turn(world, course, b, actions, rules):
                while drafting(world, course, b):
                    build(world, b, knobs[course.variant[b]])
            look(world, course, b, rules)

It stands in the task's own module because a compiled kernel that is handed over as an argument
would never be found in the cache again by a new process. A task in which more happens than what
the agent does splits `turn` in two and puts its own kernel between::

            if play(world, course, b, actions, rules):
                tick(world, b)
            if settle(world, course, b, actions, rules):
                ...

A task with several agents first lets its own script choose what those do whose action is
`SCRIPTED`, and writes that into `actions`: everybody then acts at once (see `meeting`).

A level is drafted until the hash of its layout belongs to the split: layouts are shared out among
the splits, so that no level of one can be a level of another under a different number. Colours
do not count there, so that a turn of the palette leaves a split's levels what they are.
"""

import numpy as np

from mesabench.engine.cache import inner, kernel
from mesabench.engine.course import PARTS, PER_MILLION
from mesabench.engine.move import step
from mesabench.engine.rng import MIX_2, below, combine, mix, seed
from mesabench.engine.view import observe

DRAFTS = 255  # of one level, before it is given up
RESTART = -1  # the action that makes a world begin the level in `Course.index`


@inner
def play(world, course, b, actions, rules):
    """Let the agents of world `b` act, unless it restarts or has ended; return whether they did."""
    if actions[b, 0] == RESTART:
        return False
    if course.ended[b]:
        for a in range(world.events.shape[1]):
            for e in range(world.events.shape[2]):
                world.events[b, a, e] = 0
        return False
    step(world, b, actions[b], rules)
    return True


@inner
def settle(world, course, b, actions, rules):
    """Count what happened in world `b`; return True when its next level is to be built now."""
    if actions[b, 0] == RESTART:
        begin(world, course, b)
        return True
    if course.ended[b]:
        return False
    for a in range(world.events.shape[1]):
        for e in range(world.events.shape[2]):
            course.counts[b, a, e] += world.events[b, a, e]
    if not (world.terminated[b] or world.truncated[b]):
        return False
    file_away(world, course, b, rules)
    if not course.auto[b]:
        course.ended[b] = True
        return False
    draw_level(course, b)
    begin(world, course, b)
    return True


@inner
def file_away(world, course, b, rules):
    """Keep what the ended episode of world `b` came to."""
    course.last_index[b] = course.index[b]
    course.last_layout[b] = course.layout[b]
    course.last_steps[b] = world.clock[b]
    for a in range(world.pose.shape[1]):
        for e in range(course.counts.shape[2]):
            course.last_counts[b, a, e] = course.counts[b, a, e]
        for i in range(world.pose.shape[2]):
            course.last_pose[b, a, i] = world.pose[b, a, i]
        for i in range(world.inventory.shape[2]):
            course.last_inventory[b, a, i] = world.inventory[b, a, i]
        for i in range(world.gauges.shape[2]):
            course.last_gauges[b, a, i] = world.gauges[b, a, i]
    if not course.blind[b]:
        observe(world, b, rules, world.final_image)


@inner
def draw_level(course, b):
    """Choose world `b`'s next level: a function of its stream and of the draws before."""
    word = combine(course.stream[b], course.episode[b])
    course.index[b] = below(word, course.span[b])
    course.heir[b] = course.episode[b] > 0
    course.episode[b] += 1


@kernel
def draw_levels(course, worlds):
    """Choose the next level of each world in the mask `worlds` [B]."""
    for b in range(len(worlds)):
        if worlds[b]:
            draw_level(course, b)


@kernel
def begin(world, course, b):
    """Clear world `b` for the level in `course.index`, whose key depends on nothing else."""
    key = combine(course.key[b], course.index[b])
    course.variant[b] = below(mix(key ^ MIX_2), PER_MILLION) < course.share[b]
    seed(world, b, key)
    course.ended[b] = False
    # Not array to array, for whose error message Numba would compile all its string handling.
    for a in range(course.counts.shape[1]):
        for e in range(course.counts.shape[2]):
            course.past[b, a, e] = course.counts[b, a, e]
            course.counts[b, a, e] = 0
    course.drafts[b] = 0
    world.horizon[b] = course.horizons[b, course.variant[b]]
    world.clock[b] = 0
    wipe(world, b)


@inner
def wipe(world, b):
    """Clear what a level generator may have written, but for the grid, which it begins with."""
    world.marks[b] = 0
    world.inside[b] = 0
    world.carrying[b] = 0
    world.inventory[b] = 0
    world.gauges[b] = 0
    world.memory[b] = 0
    world.pose[b] = -1
    world.unbuilt[b] = False


@inner
def drafting(world, course, b):
    """Tell whether world `b`'s level is to be built: at first, and while its layout is another's.

    A level of whose drafts none belongs to the split is marked as unbuilt.
    """
    if course.drafts[b] > 0:
        if world.unbuilt[b]:
            return False
        course.layout[b] = hash_layout(world, b, True)
        part = np.int64(hash_layout(world, b, False) % np.uint64(PARTS))
        if course.parts[b, 0] <= part < course.parts[b, 1]:
            return False
        if course.drafts[b] == DRAFTS:
            world.unbuilt[b] = True
            return False
        wipe(world, b)
    course.drafts[b] += 1
    return True


@kernel
def look(world, course, b, rules):
    """Draw what the agents of world `b` see, unless nobody looks."""
    if not course.blind[b]:
        observe(world, b, rules, world.image)


@kernel
def look_at(world, rules, worlds):
    """Draw what the agents of the first so many worlds see, also where nobody looked before."""
    for b in range(worlds):
        observe(world, b, rules, world.image)


@kernel
def hash_layout(world, b, coloured):
    """Return a 64-bit hash of the walls and things of world `b`, with or without their colours."""
    word = np.uint64(0)
    for x in range(world.grid.shape[1]):
        for y in range(world.grid.shape[2]):
            packed = np.int64(world.inside[b, x, y])
            colour = np.int64(world.grid[b, x, y, 1])
            cell = (packed >> 3) * 256 + world.grid[b, x, y, 0] * 16 + world.grid[b, x, y, 2]
            if coloured:
                cell += (colour * 8 + (packed & 7)) * 65536
            word = mix(word ^ np.uint64(cell))
    return word
