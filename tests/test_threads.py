"""What torch needs of the system: memory that stays for the next layer, and modules that are no garbage."""

import subprocess
import sys

import pytest

ROUNDS = 3
MEMORY = f"""
import resource
import numpy as np
from ser_core.inference.forward import run_windows
from ser_core import load_model
from ser_core.inference import CPU_BATCH_SIZE as BATCH_SIZE
model = load_model("prosonet")
windows = [np.random.default_rng(i).normal(0, 0.1, 40_000).astype(np.float32) for i in range(BATCH_SIZE)]
def hear():
    for _ in range({ROUNDS}):
        run_windows(model, windows).logits
hear()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
hear()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = """
import gc
from streamlit.testing.v1 import AppTest
for _ in range(2):
    AppTest.from_file("app.py", default_timeout=120).run()
    print(gc.get_freeze_count())
"""


def said(script: str) -> list[int]:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=200, check=True)
    return [int(line) for line in done.stdout.split()]


@pytest.mark.skipif(sys.platform != "linux", reason="of glibc")
def test_the_memory_of_a_layer_is_there_for_the_next_one():
    (faults,) = said(MEMORY)
    assert faults < ROUNDS * 1000  # of 4 kB; ten times as many when it is handed back


def test_what_the_pages_import_is_no_garbage():
    before, after = said(PAGES)
    assert after > before + 100_000  # torch came with the first run
