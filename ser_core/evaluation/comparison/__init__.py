"""Comparison of models on the same clips: ranking, pairwise tests, leakage, published figures."""
