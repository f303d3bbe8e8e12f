"""Predict tables in parts, on one machine or many: the public face of ``clx.ml.batch``."""

__all__: list[str] = []
