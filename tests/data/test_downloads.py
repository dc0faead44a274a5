"""Downloads from a local server that interrupts, sends wrong bytes, has no ranges, or refuses."""

import hashlib
import io
import stat
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pytest

from ser_core.data import downloads as fetching
from ser_core.data.downloads import DownloadError, RemoteFile, check_free_space, download_file, fetch_json, read_url
from ser_core.data.sources.archives import unpack_zip
from tests.make_server import zipped

CONTENT = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8).tobytes()


@pytest.fixture
def server(server):
    """Local server with the file of these tests."""
    server.contents["/sound.zip"] = CONTENT
    return server


@pytest.fixture
def file(server) -> RemoteFile:
    return RemoteFile("sound.zip", f"{server.address}/sound.zip", len(CONTENT), "md5", hashlib.md5(CONTENT).hexdigest())


@pytest.mark.parametrize(
    "ways",
    [
        [],
        ["breaks off"],
        ["breaks off", "breaks off", "breaks off"],
        ["breaks off", "no ranges"],
        ["wrong bytes"],
        ["breaks off", "wrong bytes"],
        ["too much"],
        [500, 503, 429],
        ["breaks off", 416],
    ],
)
def test_a_download_completes_after_interruptions(server, file, tmp_path, ways):
    server.ways, came = list(ways), []
    download_file(file, tmp_path / "a.zip", came.append)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT and sum(came) == len(CONTENT)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_a_partial_download_is_resumed(server, file, tmp_path):
    (tmp_path / "a.zip.partial").write_bytes(CONTENT[:123_456])
    download_file(file, tmp_path / "a.zip")
    assert server.requests == [("/sound.zip", "bytes=123456-")]
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("torn", [CONTENT[:100] + b"x" * 100, CONTENT + b"x", b"x" * len(CONTENT)])
def test_a_damaged_partial_file_is_discarded(server, file, tmp_path, torn):
    (tmp_path / "a.zip.partial").write_bytes(torn)
    download_file(file, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("ways", "why"),
    [
        (["wrong bytes"] * 9, "checksum"),
        ([503] * 9, "503"),
        (["no ranges"] * 9, "interrupted"),
        ([404], "404"),
        ([403], "403"),
    ],
)
def test_a_failed_download_is_an_error_and_leaves_no_file(server, file, tmp_path, ways, why):
    server.ways = list(ways)
    if "no ranges" in ways:
        server.contents["/sound.zip"] = CONTENT[:-1]
    with pytest.raises(DownloadError, match=why):
        download_file(file, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
    assert len(server.requests) == (1 if ways[0] in (403, 404) else fetching.MAX_DOWNLOAD_ATTEMPTS)


def test_a_refused_connection_is_an_error(server, file, tmp_path):
    server.stop()
    with pytest.raises(DownloadError, match="refused"):
        download_file(file, tmp_path / "a.zip")


def test_a_silent_server_times_out(monkeypatch, tmp_path):
    import socket

    monkeypatch.setattr(fetching, "INITIAL_BACKOFF_S", 0.0)
    monkeypatch.setattr(fetching, "DOWNLOAD_TIMEOUT_S", 0.05)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(DownloadError, match="timed out"):
            read_url(f"http://127.0.0.1:{listener.getsockname()[1]}/")


def test_lists_are_read_and_checked(server, monkeypatch):
    server.contents |= {"/good": b'{"a": 1}', "/text": b"<html>", "/list": b"[1]"}
    server.ways = [500]
    assert fetch_json(f"{server.address}/good") == {"a": 1}
    for path in ("/text", "/list", "/nothing"):
        with pytest.raises(DownloadError):
            fetch_json(server.address + path)
    monkeypatch.setattr(fetching, "MAX_LISTING_BYTES", 5)
    with pytest.raises(DownloadError, match=r"/good .*5e-06 MB"):
        fetch_json(f"{server.address}/good")


def test_free_space_is_checked_first(tmp_path):
    check_free_space(tmp_path, 0)
    with pytest.raises(DownloadError, match="--to"):
        check_free_space(tmp_path, 10**18)


# --- unpacking -------------------------------------------------------------------------------------------------------


def everything(name: PurePosixPath) -> bool:
    return True


def test_members_are_unpacked(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"Actor_01/a.wav": b"one", "b.wav": b"two", "c.txt": b"three"}))
    unpack_zip(tmp_path / "a.zip", tmp_path / "out", lambda name: name.suffix == ".wav")
    found = {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*.*")}
    assert found == {"Actor_01/a.wav": b"one", "b.wav": b"two"}
    assert {p.name for p in tmp_path.iterdir()} == {"a.zip", "out"}


def lzma_member_damaged() -> bytes:
    """An archive whose only member is damaged in the middle of its LZMA stream."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("a.wav", CONTENT)
    content = bytearray(file.getvalue())
    content[60:200] = bytes([255]) * 140
    return bytes(content)


@pytest.mark.parametrize(
    "content",
    [
        zipped({"../evil.wav": b"x"}),
        zipped({"a/../../evil.wav": b"x"}),
        zipped({"/tmp/evil.wav": b"x"}),
        zipped({"..\\evil.wav": b"x"}),
        zipped({"C:evil.wav": b"x"}),
        zipped({"evil.wav": b"/etc/passwd"}, stat.S_IFLNK | 0o777),
        zipped({"bomb.wav": bytes(5_000_000)}),
        zipped({"a.wav": b"x", "a.wav/b.wav": b"x"}),
        zipped({}),
        zipped({f"{'a' * 300}.wav": b"x"}),
        lzma_member_damaged(),
        b"no archive",
        zipped({"a.wav": CONTENT})[:-200],
        zipped({"a.wav": CONTENT}).replace(CONTENT[50_000:50_010], bytes(10), 1),
    ],
)
def test_unsafe_or_damaged_archives_are_refused(tmp_path, content):
    folder = tmp_path / "corpora"
    folder.mkdir()
    (folder / "a.zip").write_bytes(content)
    with pytest.raises(DownloadError):
        unpack_zip(folder / "a.zip", folder / "out", everything)
    assert not (folder / "out").exists() and not list(tmp_path.rglob("evil*"))
    assert not list(tmp_path.rglob("*.unpacking"))


def test_a_disk_without_space_for_the_members_is_found_before_unpacking(tmp_path, monkeypatch):
    monkeypatch.setattr("ser_core.data.downloads.MIN_FREE_BYTES", 10**18)
    (tmp_path / "a.zip").write_bytes(zipped({"a.wav": b"one"}))
    with pytest.raises(DownloadError, match="disk space"):
        unpack_zip(tmp_path / "a.zip", tmp_path / "out", everything)
    assert {p.name for p in tmp_path.iterdir()} == {"a.zip"}


def test_an_encrypted_archive_is_refused(tmp_path):
    content = bytearray(zipped({"a.wav": b"x"}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DownloadError, match=r"a\.zip"):
        unpack_zip(tmp_path / "a.zip", tmp_path / "out", everything)
