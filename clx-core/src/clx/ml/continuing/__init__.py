"""Train a published run further: from its weights, with its labels, and with new ones.

Entry points: ``train.continue_run``, ``train.Continuation`` and ``options.Predecessor``.
"""
