"""Evaluation of a checkpoint: its task, its test part without leaks, its record and the comparison with it."""
