"""Choose a base model and the options of a training by measurement.

Entry points: ``bases.compare_bases``, ``tune.check_tuning`` and ``tune.search``.
"""
