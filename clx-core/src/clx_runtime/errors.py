"""Every error that a user of clx can cause. The docstring of each class says how to fix it."""

from __future__ import annotations


class ClxError(Exception):
    """Base class of all clx errors: catch it to catch them all. The message says what to do."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument, and OSError may reformat it.
        return str(self.args[0]) if self.args else ""


class ClxWarning(UserWarning):
    """clx did something that the caller may not expect, such as truncating long texts."""


class DataWarning(ClxWarning):
    """The data has findings, such as leaked or rare rows: review them (``strict_data`` stops there)."""


class TruncationWarning(ClxWarning):
    """Texts are longer than the model reads and are truncated: raise ``max_length``, or shorten them."""


class BaseModelWarning(ClxWarning):
    """A base model is a poor fit for classification, or was left out: do what the message says."""


class CascadeWarning(ClxWarning):
    """The student of a cascade differs from the run too often: distill one on texts like these."""


class TaskNotFoundError(ClxError, KeyError):
    """No installed task has that name: use one of the listed names or install its package."""


class PluginError(ClxError):
    """A plugin is broken: fix, upgrade, or uninstall the distribution that the message names."""


class DuplicateTaskError(PluginError):
    """Two distributions claim one task name: uninstall one, or name the other in ``CLX_PLUGINS``."""


class ConfigError(ClxError, ValueError):
    """An option has a wrong name or value: correct each one that the message lists."""


class UnknownArgumentError(ConfigError, TypeError):
    """A method has no argument of that name: write what the message says instead."""


class UnknownAttributeError(ClxError, AttributeError):
    """A run no longer has an attribute of that name: write what the message says."""


class DataFormatError(ClxError, ValueError):
    """The data is not in the task's format: correct the listed rows or columns."""


class RunDirError(ClxError, OSError):
    """A run directory is damaged, incomplete, read-only, or not a run: do what the message says."""


class RunNotFoundError(RunDirError, FileNotFoundError):
    """There is no run at that path or with that name: ``clx runs`` lists the saved runs."""


class RunExistsError(ClxError, FileExistsError):
    """The target already exists: pass ``overwrite=True`` or ``resume=True``, or use another name."""


class RunBusyError(RunDirError):
    """Another process is training into this run: wait for it, or choose another run name."""


class DiskFullError(RunDirError):
    """The disk is full: free the space that the message names, or choose another folder."""


class TrainingError(ClxError, RuntimeError):
    """The training failed and was stopped: check the causes that the message lists."""


class OutOfMemoryError(ClxError, MemoryError):
    """Something does not fit into memory: try one of the remedies that the message lists."""


class NotTrainedError(ClxError, RuntimeError):
    """The run has no trained model yet: call ``train`` first, or load a trained run."""


class ResumeError(ClxError, RuntimeError):
    """There is nothing that ``resume=True`` can continue: train with ``overwrite=True`` instead."""


class ModelNotFoundError(ClxError, OSError):
    """The base model is not available: install its package, go online, or pass a local folder."""


class ModelError(ClxError, ValueError):
    """A model does not fit the task or its labels: choose another base model or correct the labels."""


class NotPublishedError(ModelError):
    """A trained model cannot be opened again: correct the task, then train again or resume."""


class ExportError(ClxError, RuntimeError):
    """A model cannot be exported to that format, or predicts differently there: predict with torch."""


class CascadeError(ClxError, ValueError):
    """No student can answer first: pass more or other texts, another student, or a lower agreement."""


class UnfinishedError(ClxError, RuntimeError):
    """Parts of a prediction are missing or failed: repeat the command that started it."""


class HubError(ClxError, OSError):
    """The Hugging Face Hub cannot be reached or refuses: go online, log in, or correct the address."""


class MissingDependencyError(ClxError, ImportError):
    """An optional package is missing: run the ``pip install`` line in the message."""
