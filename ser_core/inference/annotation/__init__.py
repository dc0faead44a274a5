"""Segments of the user: read from files of other programs, and predicted one by one; a recording in one sentence."""
