"""A local server that breaks off, lies, knows no ranges, and refuses; and the archives it sends."""

import io
import stat
import threading
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


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


def zipped(members: dict[str, bytes], mode: int = stat.S_IFREG | 0o644) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, content)
    return buffer.getvalue()
