"""Run an exported clx model without torch: ``load("run-dir").predict(texts)``."""

__version__ = "0.1.0"
