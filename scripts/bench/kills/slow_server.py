"""A slow server of the download of `scripts.bench.kills`: an archive in ranges, as Zenodo sends that of RAVDESS."""

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BYTES_PER_S, CHUNK_BYTES = 10_000_000, 100_000
RECORD = "/api/records/1188976"  # of RAVDESS at Zenodo


class _Handler(BaseHTTPRequestHandler):
    """Sends the archive slowly, from any byte on."""

    protocol_version = "HTTP/1.1"
    content = b""

    def do_GET(self) -> None:
        if self.path == RECORD:
            return self._send(_record(self.content), 0)
        self._send(self.content, int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").removesuffix("-")))

    def _send(self, body: bytes, first: int) -> None:
        self.send_response(206 if first else 200)
        self.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - first))
        self.end_headers()
        for at in range(first, len(body), CHUNK_BYTES):
            self.wfile.write(body[at : at + CHUNK_BYTES])
            time.sleep(CHUNK_BYTES / BYTES_PER_S)

    def log_message(self, *_: object) -> None:
        pass

    def handle(self) -> None:
        try:
            super().handle()
        except OSError:
            self.close_connection = True  # the client was killed


@contextmanager
def served(base: Path) -> Iterator[None]:
    """The archive on a slow server with ranges, whose address is in a file."""
    handler = type("Handler", (_Handler,), {"content": (base / "sounds.zip").read_bytes()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (base / "address").write_text(f"http://127.0.0.1:{server.server_port}")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def _record(content: bytes) -> bytes:
    """The description of the record with its two archives."""
    names = ("Audio_Speech_Actors_01-24.zip", "Audio_Song_Actors_01-24.zip")
    checksum = f"md5:{hashlib.md5(content).hexdigest()}"
    return json.dumps({"files": [{"key": n, "size": len(content), "checksum": checksum} for n in names]}).encode()
