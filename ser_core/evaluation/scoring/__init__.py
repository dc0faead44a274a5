"""Scores of a table of predictions."""
