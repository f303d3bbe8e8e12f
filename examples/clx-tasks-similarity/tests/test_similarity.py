from clx_tasks_similarity import SimilarityRun

from clx.testing import TaskConformance


class TestSimilarity(TaskConformance):
    task = SimilarityRun
