"""Change a published run without a training: its decisions and its label names."""
