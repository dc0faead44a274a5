"""Decoding in child processes: the pool in this process, and the program of a child."""
