"""Predictions: of a recording, of its windows, and when a model abstains."""
