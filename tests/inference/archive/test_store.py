"""Recordings in an object store: a small one on this machine, asked by the client that asks the large ones."""

from functools import partial

import numpy as np
import pytest

from ser_core.audio.io import encode_wav
from ser_core.inference.archive import batch_table as rows, store
from ser_core.inference.archive.job import bad_files_path, open_job
from ser_core.inference.archive.plan import BatchError
from ser_core.inference.archive.store import ObjectStoreError, fetch_files, names_in_store
from tests.inference.archive.make_archive import analyse_all, write_recordings
from tests.inference.archive.make_store import PROTOCOLS, running_store

KEYS = {
    "AWS_ACCESS_KEY_ID": "a",
    "AWS_SECRET_ACCESS_KEY": "b",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_MAX_ATTEMPTS": "2",
}


@pytest.fixture
def remote(monkeypatch, request):
    """A store with a few objects, with the protocol S3 or another one; nothing of it is cached afterwards."""
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    objects = {"a/1.wav": b"one", "a/b c%/2.wav": b"two", "a/.hidden": b"-", "other": b"-"}
    with running_store(objects, getattr(request, "param", "s3")) as found:
        yield found
    store._open_store.cache_clear()


of_each_store = pytest.mark.parametrize("remote", PROTOCOLS, indirect=True)


@pytest.mark.slow
@of_each_store
def test_the_table_is_that_of_the_folder(remote, tmp_path, checkpoints, speech):
    folder, model = write_recordings(tmp_path / "recordings", speech), str(checkpoints / "small")
    expected = analyse_all(folder, model, tmp_path / "folder.parquet")
    files = [path for path in folder.rglob("*") if path.is_file()]
    remote.objects = {f"x/{path.relative_to(folder).as_posix()}": path.read_bytes() for path in files}
    found = analyse_all(remote.address("x"), model, tmp_path / "store.parquet")
    assert found == expected
    assert (
        bad_files_path(tmp_path / "store.parquet").read_text()
        == bad_files_path(tmp_path / "folder.parquet").read_text()
    )


@of_each_store
def test_a_busy_store_is_asked_again(remote):
    remote.failures["a/1.wav"] = 2
    *found, missing = fetch_files(remote.address("a"), ["1.wav", "b c%/2.wav", "3.wav"])
    assert found == [b"one", b"two"]
    assert "not found in the store: '3.wav'" in str(missing)
    assert remote.failures["a/1.wav"] == 0


@pytest.mark.slow
def test_what_a_store_refuses_is_listed_and_the_others_are_predicted(remote, tmp_path, checkpoints, speech):
    remote.objects = {f"a/{i}.wav": encode_wav(speech) for i in range(3)}
    remote.failures["a/1.wav"] = 10**6
    found = analyse_all(remote.address("a"), str(checkpoints / "small"), tmp_path / "r.parquet")
    assert [row["file"] for row in found] == ["0.wav", "2.wav"]
    reasons = bad_files_path(tmp_path / "r.parquet").read_text()
    assert "1.wav" in reasons and "did not give this file, after several tries" in reasons and "503" in reasons
    assert 2 < remote.requests["a/1.wav"] < 100


def test_a_store_that_is_out_of_order_ends_the_job(remote, monkeypatch):
    monkeypatch.setattr(store, "_fetch", lambda address, name: store._Unanswered("The store did not give this file."))
    with pytest.raises(ObjectStoreError, match="10 files in a row failed: start the same command again"):
        list(fetch_files(remote.address("a"), [f"{i}.wav" for i in range(12)]))


def test_a_store_that_fails_now_and_then_goes_on(remote, monkeypatch):
    answers = {f"{i}.wav": store._Unanswered("busy") if i % 2 else b"" for i in range(30)}
    monkeypatch.setattr(store, "_fetch", lambda address, name: answers[name])
    assert list(fetch_files(remote.address("a"), list(answers))) == list(answers.values())


@of_each_store
def test_a_remote_file_has_the_limits_of_a_local_one(remote, monkeypatch):
    long = encode_wav(np.zeros(2 * 16_000, np.float32))
    remote.objects = {"a/long.wav": long, "a/big.wav": b"x" * 1_000}
    with monkeypatch.context() as patch:
        patch.setattr(rows, "read_audio", partial(rows.read_audio, max_duration_s=1.0))
        (recording,) = rows.read_files(remote.address("a"), ["long.wav"])
    assert recording.duration_s == 1.0
    monkeypatch.setattr(store, "read_bytes", lambda file: rows.read_audio.__globals__["read_bytes"](file, 999))
    (reason,) = rows.read_files(remote.address("a"), ["big.wav"])
    assert "larger than" in reason


@of_each_store
def test_folders_are_listed_one_after_the_other(remote):
    assert list(names_in_store(remote.address("a"))) == ["1.wav", "b c%/2.wav"]
    with pytest.raises(ObjectStoreError, match="no folder 'recordings/nowhere'"):
        list(names_in_store(remote.address("nowhere")))
    remote.objects = {f"a/{i:04d}": b"" for i in range(1001)}  # more than a page
    assert len(list(names_in_store(remote.address("a")))) == 1001


@of_each_store
def test_a_name_that_no_client_reads_is_told(remote):
    remote.objects["a/e//f.wav"] = b"-"
    with pytest.raises(ObjectStoreError, match="two slashes"):
        list(names_in_store(remote.address("a")))


def test_addresses_that_cannot_be_read_are_told(remote, tmp_path, subtests):
    for address, why in {
        "nix://a/b": "nix:// is no object store",
        "s3://key:secret@bucket/a": "AWS_ACCESS_KEY_ID",
        "s3:///a": "cannot be opened",
        "gs://somebody@bucket/a": "has a key in it",
        "abfs://container:secret@account.dfs.core.windows.net/a": "has a key in it",
    }.items():
        with subtests.test(address=address), pytest.raises(BatchError, match=why) as raised:
            open_job(address, "m", "v", tmp_path / "r.parquet", 1)
        assert "secret" not in str(raised.value)
