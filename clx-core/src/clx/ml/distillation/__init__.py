"""A fast student of a trained run, and the cascade of both."""
