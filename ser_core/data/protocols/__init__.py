"""Evaluation protocols: who is in the train, dev and test part, or in which fold."""
