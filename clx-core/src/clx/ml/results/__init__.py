"""What ``train``, ``evaluate``, ``compare`` and ``check`` return: frozen, printable, savable.

Entry points are ``outcome.TrainingResult``, ``outcome.EvaluationResult``, ``comparison.Comparison``,
``tuning.TuningResult`` and ``data_check.DataCheck``; ``pages`` turns them, and whole run directories,
into ``report.html``.
"""
