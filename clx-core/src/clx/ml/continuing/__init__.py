"""Train a published run further: from its weights, with its labels, and with new ones.

Entry points: ``train.prepared``, ``train.Continuation`` and ``options.Predecessor``.
"""
