"""From labeled rows to metrics, for one run or for two side by side.

:func:`~clx.ml.evaluation.evaluate.evaluate` evaluates a trained run on a frame,
:func:`~clx.ml.evaluation.evaluate.predict_split` predicts tokenized rows, and
:func:`~clx.ml.evaluation.compare.compare_runs` compares two runs on the same rows.
"""
