"""The tests, a folder for each package.

Each test process computes with one thread, as do the programs that it starts: `-n 2` has a process for each core, and
threads that wait for a core that another process holds take most of the time. The few that there are sleep while they
wait: t-SNE with two of them took seven seconds of spinning instead of half a second. Set here, before any library that
brings threads is imported.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
