"""Whisper's encoder with a linear head: settings, encoder, layers, pooling, tuned weights."""
