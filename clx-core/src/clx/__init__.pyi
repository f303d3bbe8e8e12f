from clx.ml import TrainingRun, hookimpl, task_registry, training_run

__version__: str

__all__ = ["TrainingRun", "__version__", "hookimpl", "task_registry", "training_run"]
