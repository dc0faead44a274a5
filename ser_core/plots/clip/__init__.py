"""Figures of one clip: spectrogram, probabilities of models, trajectory, timeline."""
