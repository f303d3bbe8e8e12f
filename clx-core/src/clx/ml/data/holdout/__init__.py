"""Which rows are held out: the eval rows of a training, and the folds of a cross-validation.

``rows.py`` has the entry points, ``eval_rows`` and ``fold_of_rows``.
"""
