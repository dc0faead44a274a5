"""What torch needs of the system, set before it is imported, and modules that are not garbage."""

import os
import subprocess
import sys

import pytest

ORDER = """
import os, sys
import MODULE
print(list(sys.modules).index("ser_core.threads"), list(sys.modules).index("torch"))
print(int(os.environ["OMP_WAIT_POLICY"] == "PASSIVE"))
"""
PAGES = """
import gc
from streamlit.testing.v1 import AppTest
for _ in range(2):
    AppTest.from_file("app.py", default_timeout=120).run()
    print(gc.get_freeze_count())
    import torch
"""


def printed(script: str) -> list[int]:
    alone = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}  # as outside the tests
    done = subprocess.run(
        [sys.executable, "-c", script], env=alone, capture_output=True, text=True, timeout=200, check=True
    )
    return [int(number) for number in done.stdout.split()]


@pytest.mark.slow
@pytest.mark.parametrize("module", ["ser_core.models.base", "scripts.export"])  # the second imports torch itself
def test_threads_are_set_to_sleep_before_torch_starts_them(module):
    threads, torch, passive = printed(ORDER.replace("MODULE", module))
    assert threads < torch and passive


@pytest.mark.slow
def test_modules_that_pages_import_are_not_garbage():
    before, after = printed(PAGES)
    assert after > before + 100_000  # torch came after the first run
