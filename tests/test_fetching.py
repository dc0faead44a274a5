"""Downloads from a local server that breaks off, lies, knows no ranges, and refuses."""

import hashlib
import io
import stat
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import PurePosixPath

import numpy as np
import pytest

from ser_core import fetching
from ser_core.fetching import DownloadError, RemoteFile, check_room, fetch, read_json, read_url, unpack

CONTENT = np.random.default_rng(0).integers(0, 256, 300_000, np.uint8).tobytes()


class Server:
    """Paths and what they hold, and what goes wrong with each request to come: see `ways`."""

    def __init__(self):
        self.contents: dict[str, bytes] = {}
        self.ways: list[str | int] = []  # "breaks off", "wrong bytes", "no ranges", "too much", or an HTTP status
        self.requests: list[tuple[str, str | None]] = []  # (path, Range)
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                server.answer(self)

            def log_message(self, *_):
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}"
        threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("Range")
        self.requests.append((request.path, wanted))
        way = self.ways.pop(0) if self.ways else "well"
        content = self.contents.get(request.path)
        if content is None or isinstance(way, int):
            request.send_error(404 if content is None else way)
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and way != "no ranges" else 0
        if way == "wrong bytes":
            content = bytes(len(content))
        if way == "too much":
            content += b"more"
        request.send_response(206 if start else 200)
        if start:
            request.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - start))
        request.send_header("Connection", "close")
        request.end_headers()
        rest = content[start:]
        request.wfile.write(rest[: len(rest) // 2] if way == "breaks off" else rest)
        request.close_connection = True

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(fetching, "FIRST_PAUSE_S", 0.0)
    server = Server()
    server.contents["/sound.zip"] = CONTENT
    yield server
    server.stop()


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
def test_a_file_comes_whole_in_the_end(server, file, tmp_path, ways):
    server.ways, came = list(ways), []
    fetch(file, tmp_path / "a.zip", came.append)
    assert (tmp_path / "a.zip").read_bytes() == CONTENT and sum(came) == len(CONTENT)
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_what_has_come_is_not_asked_for_again(server, file, tmp_path):
    (tmp_path / "a.zip.partial").write_bytes(CONTENT[:123_456])
    fetch(file, tmp_path / "a.zip")
    assert server.requests == [("/sound.zip", "bytes=123456-")]
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize("torn", [CONTENT[:100] + b"x" * 100, CONTENT + b"x", b"x" * len(CONTENT)])
def test_a_torn_beginning_is_thrown_away(server, file, tmp_path, torn):
    (tmp_path / "a.zip.partial").write_bytes(torn)
    fetch(file, tmp_path / "a.zip")
    assert (tmp_path / "a.zip").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("ways", "why"),
    [
        (["wrong bytes"] * 9, "checksum"),
        ([503] * 9, "503"),
        (["no ranges"] * 9, "broke off"),
        ([404], "404"),
        ([403], "403"),
    ],
)
def test_what_never_comes_is_told_and_leaves_no_file(server, file, tmp_path, ways, why):
    server.ways = list(ways)
    if "no ranges" in ways:
        server.contents["/sound.zip"] = CONTENT[:-1]
    with pytest.raises(DownloadError, match=why):
        fetch(file, tmp_path / "a.zip")
    assert not (tmp_path / "a.zip").exists()
    assert len(server.requests) == (1 if ways[0] in (403, 404) else fetching.ATTEMPTS)


def test_nobody_there_is_told(server, file, tmp_path):
    server.stop()
    with pytest.raises(DownloadError, match="refused"):
        fetch(file, tmp_path / "a.zip")


def test_a_server_that_falls_silent_is_left(monkeypatch, tmp_path):
    import socket

    monkeypatch.setattr(fetching, "FIRST_PAUSE_S", 0.0)
    monkeypatch.setattr(fetching, "TIMEOUT_S", 0.05)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        with pytest.raises(DownloadError, match="timed out"):
            read_url(f"http://127.0.0.1:{listener.getsockname()[1]}/")


def test_lists_are_read_and_checked(server, monkeypatch):
    server.contents |= {"/good": b'{"a": 1}', "/text": b"<html>", "/list": b"[1]"}
    server.ways = [500]
    assert read_json(f"{server.address}/good") == {"a": 1}
    for path in ("/text", "/list", "/nothing"):
        with pytest.raises(DownloadError):
            read_json(server.address + path)
    monkeypatch.setattr(fetching, "MOST_LISTING_BYTES", 5)
    with pytest.raises(DownloadError, match="more than"):
        read_json(f"{server.address}/good")


def test_room_is_looked_for_first(tmp_path):
    check_room(tmp_path, 0)
    with pytest.raises(DownloadError, match="Make room"):
        check_room(tmp_path, 10**18)


# --- unpacking -------------------------------------------------------------------------------------------------------


def zipped(members: dict[str, bytes], mode: int = stat.S_IFREG | 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()


def everything(name: PurePosixPath) -> bool:
    return True


def test_members_are_unpacked(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"Actor_01/a.wav": b"one", "b.wav": b"two", "c.txt": b"three"}))
    unpack(tmp_path / "a.zip", tmp_path / "out", lambda name: name.suffix == ".wav")
    found = {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*.*")}
    assert found == {"Actor_01/a.wav": b"one", "b.wav": b"two"}
    assert {p.name for p in tmp_path.iterdir()} == {"a.zip", "out"}


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
        b"no archive",
        zipped({"a.wav": CONTENT})[:-200],
        zipped({"a.wav": CONTENT}).replace(CONTENT[50_000:50_010], bytes(10), 1),
    ],
)
def test_what_is_dangerous_or_damaged_is_not_unpacked(tmp_path, content):
    folder = tmp_path / "corpora"
    folder.mkdir()
    (folder / "a.zip").write_bytes(content)
    with pytest.raises(DownloadError):
        unpack(folder / "a.zip", folder / "out", everything)
    assert not (folder / "out").exists() and not list(tmp_path.rglob("evil*"))


def test_an_encrypted_archive_is_refused(tmp_path):
    content = bytearray(zipped({"a.wav": b"x"}))
    content[6] |= 1
    content[content.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DownloadError, match="cannot be unpacked"):
        unpack(tmp_path / "a.zip", tmp_path / "out", everything)
