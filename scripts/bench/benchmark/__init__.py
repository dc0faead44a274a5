"""The benchmark. Threads of OpenBLAS spin while they wait, which would double the processor time of librosa."""

import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # before numpy is imported
