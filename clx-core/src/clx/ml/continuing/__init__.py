"""Train a published run further: from its weights, with its labels, and with new ones."""
