from clx.testing import TaskConformance
from clx_tasks_topic import TopicRun


class TestTopic(TaskConformance):
    task = TopicRun
