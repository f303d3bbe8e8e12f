from clx_tasks_ner import NerRun

from clx.testing import TaskConformance


class TestNer(TaskConformance):
    task = NerRun
