from clx_tasks_rating import RatingRun

from clx.testing import TaskConformance


class TestRating(TaskConformance):
    task = RatingRun
