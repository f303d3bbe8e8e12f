"""From the data of a ``train`` call to a published run directory.

Entry points: ``train.train_run``, whose steps read in the order in which they run;
``training_data.check_run_data`` and ``data.label_errors``, which examine the data and train nothing; and
``corrections``, which acts on what they find.
"""
