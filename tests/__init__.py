"""The tests, a folder for each package.

Each test process computes with one thread, as do the programs that it starts: `-n 2` has a process for each core, and
threads that wait for a core that another process holds take most of the time.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
