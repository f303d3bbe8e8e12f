"""Warnings about data that is valid but probably not what the user intended.

``check.check_splits`` checks the splits of a run; ``findings.check_data`` checks plain values.
"""
