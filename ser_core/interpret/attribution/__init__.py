"""Attribution: the relevance of each part of a window for a prediction, by six methods."""
