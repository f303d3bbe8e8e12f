"""The object that users hold. Every method is a call into one room.

Entry points: ``run.TrainingRun``, ``opening.training_run``, and ``opening.task_registry``.
"""
