"""The head of a model: its pooling, the probe it starts from, its calibration, and wrong labels.

Entry points: ``initialize.prepare_head``, ``calibration.calibrate``, ``class_weights.label_weights`` and
``label_errors.find_label_errors``.
"""
