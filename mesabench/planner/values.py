"""The kernels behind `Plan`: one sweep over the sets, one best-first search in each.

The value of a pose while S is the set of touched things is, with discount γ,

    V_S(pose) = max(0, max over exits e of S:  γ^distance(pose, e) · X_S(e)),
    X_S(e)    = reward(e) + γ · V_T(pose after e),   T = S and the thing touched.

An exit is a pose in front of an untouched thing whose touch has an effect; distance counts the
turns and steps to it that have none; the 0 is an agent that turns on the spot for ever. Sets only
grow, so a sweep from the fullest set down computes every V_T before it is needed.
"""

import numpy as np

from mesabench.engine.cache import kernel
from mesabench.engine.codes import FORWARD, LEFT, RIGHT
from mesabench.planner.chart import ENDS, WALK
from mesabench.planner.walk import step_pose


@kernel
def pay(masks, weights):
    """Return what each event mask [m] pays under each weighting [n, E], float64 [n, m]."""
    reward = np.zeros((weights.shape[0], len(masks)))
    for k in range(weights.shape[0]):
        for i in range(len(masks)):
            for event in range(weights.shape[1]):
                if (np.int64(masks[i]) >> event) & 1:
                    reward[k, i] += weights[k, event]
    return reward


@kernel
def exit_value(chart, s, pose, reward, values, discount):
    """Return X of a step forward from `pose`, where the thing ahead has an effect in set `s`."""
    thing = chart.front[pose]
    after = chart.outcome[s, thing]
    if after == ENDS:
        return reward[thing]
    return reward[thing] + discount * values[after, step_pose(chart, s, pose)]


@kernel
def sweep(chart, reward, goal, discount):
    """Return the values [n, S, P] for rewards [n, O] and goal poses [n, P]."""
    poses = len(chart.front)
    values = np.zeros((len(reward), len(chart.sets), poses))
    exits = np.nonzero(chart.front >= 0)[0]
    seeds, queue = np.empty(poses, np.int64), np.empty(poses, np.int64)
    came_from = np.empty(poses, np.int64)
    for s in range(len(chart.sets) - 1, -1, -1):
        open_ways(chart, s, came_from)
        for k in range(len(reward)):
            value = values[k, s]
            count = 0
            for pose in np.nonzero(goal[k])[0]:
                value[pose] = 1.0
                count = insert(seeds, count, value, pose)
            for pose in exits:
                if chart.outcome[s, chart.front[pose]] >= ENDS and not goal[k, pose]:
                    worth = exit_value(chart, s, pose, reward[k], values[k], discount)
                    if worth > 0.0:
                        value[pose] = worth
                        count = insert(seeds, count, value, pose)
            spread(value, seeds, count, came_from, queue, discount)
    return values


@kernel
def open_ways(chart, s, came_from):
    """Write into `came_from` [P] the pose from which a step without effect leads here, or −1."""
    for pose in range(len(came_from)):
        back = chart.behind[pose]
        if back >= 0:
            thing = chart.front[back]
            if thing >= 0 and chart.outcome[s, thing] != WALK:
                back = -1
            elif chart.echo[back] != 0 and chart.spent[s]:
                back = -1  # this step ends the episode
        came_from[pose] = back


@kernel
def insert(seeds, count, value, pose):
    """Insert `pose` into the first `count` seeds, best value first; return the new count."""
    i = count
    while i > 0 and value[seeds[i - 1]] < value[pose]:
        seeds[i] = seeds[i - 1]
        i -= 1
    seeds[i] = pose
    return count + 1


@kernel
def spread(value, seeds, count, came_from, queue, discount):
    """Complete `value` [P], given at the first `count` seeds (best first), by best-first search.

    Every step costs one factor γ, so poses join the queue in the order of their values, and the
    best pose left is either the next seed or the head of the queue: no heap is needed. Poses come
    off in falling order, so the first value that a pose gets in the queue is its best one.
    """
    head, tail, seed = 0, 0, 0
    while seed < count or head < tail:
        if head == tail or (seed < count and value[seeds[seed]] >= value[queue[head]]):
            pose = seeds[seed]
            seed += 1
        else:
            pose = queue[head]
            head += 1
        worth = discount * value[pose]
        for turn in range(1, 4):
            # The poses one action before: turned left, turned right (d ± 1), or a step behind.
            before = came_from[pose] if turn == 2 else (pose & ~3) | ((pose + turn) & 3)
            if before >= 0 and value[before] < worth:
                value[before] = worth
                queue[tail] = before
                tail += 1


@kernel
def read_q(plan, touched, poses):
    """Return Q* [T, n, 3] at T states (set number, pose)."""
    chart, discount = plan.chart, plan.discount
    q = np.empty((len(poses), len(plan.reward), 3))
    for t in range(len(poses)):
        s, pose = touched[t], poses[t]
        thing = chart.front[pose]
        effect = thing >= 0 and chart.outcome[s, thing] >= ENDS
        after = step_pose(chart, s, pose)
        ends = chart.echo[pose] != 0 and chart.spent[s]
        for k in range(len(plan.reward)):
            value = plan.values[k, s]
            q[t, k, LEFT] = discount * value[(pose & ~3) | ((pose + 3) & 3)]
            q[t, k, RIGHT] = discount * value[(pose & ~3) | ((pose + 1) & 3)]
            if plan.goal[k, pose]:
                q[t, k, FORWARD] = 1.0
            elif effect:
                reward, values = plan.reward[k], plan.values[k]
                q[t, k, FORWARD] = exit_value(chart, s, pose, reward, values, discount)
            else:
                q[t, k, FORWARD] = 0.0 if ends else discount * value[after]
    return q
