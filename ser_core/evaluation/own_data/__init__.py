"""Labelled recordings of one's own: confounds, duplicates, doubtful labels, a head of their own."""
