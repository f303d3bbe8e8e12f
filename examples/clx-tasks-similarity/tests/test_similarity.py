from clx.testing import TaskConformance
from clx_tasks_similarity import SimilarityRun


class TestSimilarity(TaskConformance):
    task = SimilarityRun
