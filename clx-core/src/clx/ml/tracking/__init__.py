"""Experiment trackers: log trainings to TensorBoard, MLflow, and Weights & Biases.

Entry points: ``follow.followed``.
"""
