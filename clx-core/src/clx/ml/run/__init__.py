"""The object that users hold. Each method calls into one room.

Entry points: ``run.TrainingRun``, ``opening.training_run``, and ``opening.task_registry``; and
``tidying`` for runs on disk.
"""
