"""Choose a base model and the options of a training by measurement.

Entry points for tuning: ``tune.check_tuning`` and ``tune.search``.
"""
