"""Labeled rows to metrics, tables, and predictions; and two runs compared on the same rows.

Entry points: ``evaluate.evaluate``, ``evaluate.predict_split`` and ``evaluate.evaluate_predictions``,
which a training calls one after the other, and ``compare.compare_runs``.
"""
