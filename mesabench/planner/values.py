"""The kernels behind `Plan`: one sweep over the sets, one best-first search in each.

The value of a pose while S is the set of touched things is, with discount γ,

    V_S(pose) = max(0, max over exits e of S:  γ^distance(pose, e) · X_S(e)),
    X_S(e)    = reward(e) + γ · V_T(pose after e),   T = S and the thing touched.

An exit is a pose in front of an untouched thing whose touch has an effect; distance counts the
turns and steps to it that have none; the 0 is an agent that turns on the spot for ever. Sets only
grow, so a sweep from the fullest set down computes every V_T before it is needed.
"""

import numpy as np

from mesabench.engine.cache import inner, kernel
from mesabench.engine.codes import FORWARD, LEFT, RIGHT
from mesabench.planner.chart import OVER, WALK
from mesabench.planner.ground import AHEAD, BEHIND, ECHO, FRONT, turned
from mesabench.planner.things import PASSABLE
from mesabench.planner.walk import advance


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


@inner
def list_exits(chart):
    """Return the poses in front of things, those things, and the poses after touching them."""
    exits, total = np.empty((3, 4 * len(chart.things)), np.int64), 0
    for pose in range(len(chart.poses)):
        thing = chart.poses[pose, FRONT]
        if thing >= 0:
            exits[0, total], exits[1, total] = pose, thing
            moves = chart.things[thing, PASSABLE]
            exits[2, total] = chart.poses[pose, AHEAD] if moves else pose
            total += 1
    return exits[0, :total], exits[1, :total], exits[2, :total]


@kernel
def list_goals(goal):
    """Return the goal poses of every objective k: entries first[k] up to first[k + 1] of a list."""
    first, goals, total = np.zeros(len(goal) + 1, np.int64), np.empty(goal.size, np.int64), 0
    for k in range(len(goal)):
        for pose in range(goal.shape[1]):
            if goal[k, pose]:
                goals[total] = pose
                total += 1
        first[k + 1] = total
    return first, goals


@kernel
def sweep(chart, reward, goal, discount):
    """Return the values [n, S, P] for rewards [n, O] and goal poses [n, P]."""
    objectives, poses = goal.shape
    outcome = chart.outcome
    values = np.zeros((objectives, len(outcome), poses))
    exits, things, landings = list_exits(chart)
    first, goals = list_goals(goal)
    came_from, seeds = np.empty(poses, np.uint32), np.empty(poses, np.uint32)
    queue = np.empty(poses, np.uint32)
    for s in range(len(outcome) - 1, -1, -1):
        open_ways(chart, s, came_from)
        for k in range(objectives):
            value = values[k, s]
            count = 0
            for i in range(first[k], first[k + 1]):
                value[goals[i]] = 1.0
                count = insert(seeds, count, value, goals[i])
            for i in range(len(exits)):
                pose, after = exits[i], outcome[s, things[i]]
                if after < OVER or goal[k, pose]:
                    continue
                worth = reward[k, things[i]]
                if after != OVER:
                    worth += discount * values[k, after, landings[i]]
                if worth > 0.0:
                    value[pose] = worth
                    count = insert(seeds, count, value, pose)
            spread(value, seeds, count, came_from, queue, discount)
    return values


@inner
def open_ways(chart, s, came_from):
    """Write into `came_from` [P] the pose from which a step without effect leads to each pose.

    Where there is none, it is the pose itself.
    """
    for pose in range(len(came_from)):
        came_from[pose] = pose
        back = chart.poses[pose, BEHIND]
        if back < 0:
            continue
        thing = chart.poses[back, FRONT]
        if thing >= 0:
            free = chart.outcome[s, thing] == WALK
        else:
            ends = chart.poses[back, ECHO] != 0 and chart.spent[s]
            free = not ends
        if free:
            came_from[pose] = back


@inner
def insert(seeds, count, value, pose):
    """Insert `pose` into the first `count` seeds, best value first; return the new count."""
    i = count
    while i > 0 and value[seeds[i - 1]] < value[pose]:
        seeds[i] = seeds[i - 1]
        i -= 1
    seeds[i] = pose
    return count + 1


@inner
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
        tail = offer(value, queue, tail, came_from[pose], worth)
        tail = offer(value, queue, tail, turned(pose, 1), worth)
        tail = offer(value, queue, tail, turned(pose, 3), worth)


@inner
def offer(value, queue, tail, pose, worth):
    """Put `pose` into the queue if `worth` is news to it; return the queue's new end."""
    if value[pose] < worth:
        value[pose] = worth
        queue[tail] = pose
        return tail + 1
    return tail


@kernel
def read_q(plan, touched, poses):
    """Return Q* [T, n, 3] at T states (set number, pose)."""
    chart, discount, values = plan.chart, plan.discount, plan.values
    q = np.empty((len(poses), len(values), 3))
    for t in range(len(poses)):
        s, pose = touched[t], poses[t]
        after, landing, _, ended = advance(chart, s, pose, FORWARD)
        thing = chart.poses[pose, FRONT]
        pays = thing >= 0 and chart.outcome[s, thing] >= OVER
        left, right = turned(pose, 3), turned(pose, 1)
        for k in range(len(values)):
            q[t, k, LEFT] = discount * values[k, s, left]
            q[t, k, RIGHT] = discount * values[k, s, right]
            if plan.goal[k, pose]:
                q[t, k, FORWARD] = 1.0
                continue
            q[t, k, FORWARD] = 0.0 if ended else discount * values[k, after, landing]
            if pays:
                q[t, k, FORWARD] += plan.reward[k, thing]
    return q
