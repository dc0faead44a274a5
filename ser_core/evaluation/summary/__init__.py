"""What the results come to: a verdict on a model, scores of groups of speakers."""
