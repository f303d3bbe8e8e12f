"""Log a training to a tracker such as TensorBoard, MLflow or Weights & Biases."""
