"""From the data of a ``train`` call to a published run directory.

Entry points: ``train.train_run``, which reads in the order in which things happen; and
``data.check_run_data`` and ``data.label_errors``, which look at the data and train nothing.
"""
