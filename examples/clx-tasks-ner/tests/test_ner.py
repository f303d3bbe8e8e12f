from clx.testing import TaskConformance
from clx_tasks_ner import NerRun


class TestNer(TaskConformance):
    task = NerRun
