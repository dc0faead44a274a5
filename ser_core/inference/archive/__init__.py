"""Predictions for thousands of recordings: batches, their table, and the processes that run them."""
