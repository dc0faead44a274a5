"""Evaluation and calibration on corpora that a model was not trained on."""
