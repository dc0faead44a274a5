"""Streaming prediction: audio in chunks of any length and sample rate, a prediction four times a second."""
