"""Exact optimal values of any objective on a touch world: the ground under every score.

`survey` charts a level, `plan` (event weights) and `plan_goals` (cells to reach) value every state
of it, and `locate`, `advance` and `follow` say which states an agent passes through:

    chart = survey(grid, flags, rules, inventory)
    touched, poses, _, _ = follow(chart, 0, locate(chart, x, y, way), actions)
    q = plan(chart, task.weights(*task.candidates), task.discount).q_along(touched, poses)
"""

from mesabench.planner.chart import MAX_OBJECTS, Chart, survey
from mesabench.planner.kept import kept_values
from mesabench.planner.plans import Plan, plan, plan_goals, start_values
from mesabench.planner.walk import advance, follow, locate
from mesabench.planner.worlds import (
    LevelPlan,
    best_values,
    chart_world,
    plan_worlds,
)

__all__ = [
    "MAX_OBJECTS",
    "Chart",
    "LevelPlan",
    "Plan",
    "advance",
    "best_values",
    "chart_world",
    "follow",
    "kept_values",
    "locate",
    "plan",
    "plan_goals",
    "plan_worlds",
    "start_values",
    "survey",
]
