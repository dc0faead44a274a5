"""What torch needs of the system; imported before it.

Threads that wait for each other sleep instead of spinning: on a machine that does something else as well, a spinning
thread keeps the one it waits for from running. Measured on two busy cores: 24 s instead of 7 s for ten minutes of
sound.

Memory of tensors is kept for the next ones instead of being handed back after each layer, where the system clears it
again every time: a sixth of the time of a prediction. Whatever is larger than 32 MiB still goes back at once.
"""

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # glibc's names for them

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
    libc.mallopt(TRIM_THRESHOLD, 2**31 - 1)
    libc.mallopt(MMAP_THRESHOLD, 32 << 20)  # the highest that it takes
