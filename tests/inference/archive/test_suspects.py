"""Batches in which a worker died: file by file, and the file that ended it by name."""

from concurrent.futures import BrokenExecutor, Future

import pyarrow as pa
import pytest

from ser_core.inference.archive.batch_table import BATCH_TABLE_SCHEMA
from ser_core.inference.archive.suspects import LETHAL_REASON, Suspects, predict_one_by_one


def submit(files) -> Future:
    """A worker that `bad.m4a` ends."""
    found: Future = Future()
    if "bad.m4a" in files:
        found.set_exception(BrokenExecutor())
    else:
        found.set_result(pa.Table.from_pylist([{"file": name} for name in files], schema=BATCH_TABLE_SCHEMA))
    return found


def test_the_file_that_ends_a_worker_is_named_and_left_out():
    suspects, files = Suspects(), ["a.wav", "bad.m4a", "b.wav"]
    with pytest.raises(BrokenExecutor):
        predict_one_by_one(submit, files, suspects)
    assert suspects.lethal == ["bad.m4a"]
    found = predict_one_by_one(submit, files, suspects).to_pylist()
    assert [row["file"] for row in found] == files
    assert [row["error"] for row in found] == [None, LETHAL_REASON, None]


def test_the_list_outlives_the_job(tmp_path):
    assert Suspects.load(tmp_path) == Suspects()
    suspects = Suspects(lethal=["bad.m4a"])
    suspects.add([3, 1])
    suspects.add([1, 2])
    suspects.save(tmp_path)
    assert Suspects.load(tmp_path) == Suspects([1, 2, 3], ["bad.m4a"])
