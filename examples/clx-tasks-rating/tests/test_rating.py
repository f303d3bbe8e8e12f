from clx.testing import TaskConformance
from clx_tasks_rating import RatingRun


class TestRating(TaskConformance):
    task = RatingRun
