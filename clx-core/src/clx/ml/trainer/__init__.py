"""The Hugging Face Trainer as clx runs it: the order of rows, guards, and callbacks.

Entry points: ``trainer.make_trainer`` and ``trainer.predict_dataset``.
"""
