"""Predict tables in parts, on one machine or many: the batch predictor, shards, engines."""
