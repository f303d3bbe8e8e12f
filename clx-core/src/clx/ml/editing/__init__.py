"""Changes to a published run without a training: its decisions and its labels.

Entry points: ``decisions.set_decisions``, ``rename.rename_labels``, ``merge.merge_labels`` and
``label_table.label_table``.
"""
