"""Cross-validation: each row is predicted by a model that was not fitted to it.

Entry points: ``cross_validate.cross_validate`` and ``folds.FoldRequest``.
"""
