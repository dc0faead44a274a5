"""Augmentation of batches: functions that apply given parameters, and the class that draws them."""
