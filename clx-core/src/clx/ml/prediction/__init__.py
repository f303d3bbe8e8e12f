"""Run texts through a trained model, by torch or ONNX Runtime, and export the model to ONNX.

Entry points: ``predict.predict_texts``, ``predict_file.predict_file`` and ``onnx_export.export_run``.
"""
