"""From waveform to prediction: the one path of the app, the command line and the evaluation."""
