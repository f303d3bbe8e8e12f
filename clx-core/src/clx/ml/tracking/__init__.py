"""Trackers of experiments: TensorBoard, MLflow, and Weights & Biases, and what clx logs to each.

Entry points: ``follow.followed``.
"""
