"""Publish a run directory on the Hub, and open one from there."""
