"""A small object store on this machine, with as much of S3's protocol as reading needs, which can be out of order."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "recordings"
PAGE = 1000  # names in one answer, as with S3
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


class FakeStore(ThreadingHTTPServer):
    """Objects by key; `failures` of a key are answered with 503 before the object."""

    daemon_threads = True

    def __init__(self, objects: Mapping[str, bytes]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects, self.failures, self.requests = objects, Counter[str](), Counter[str]()

    def address(self, prefix: str) -> str:
        """Of a folder in the store."""
        return f"s3://{BUCKET}/{prefix}?scheme=http&endpoint_override=127.0.0.1:{self.server_port}&region=us-east-1"


@contextmanager
def running_store(objects: Mapping[str, bytes]) -> Iterator[FakeStore]:
    """A store in a thread of this process."""
    with FakeStore(objects) as store:
        threading.Thread(target=store.serve_forever, daemon=True).start()
        yield store
        store.shutdown()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: FakeStore

    def log_message(self, *_):
        """Silent."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urlsplit(self.path)
        key, query = unquote(url.path).removeprefix(f"/{BUCKET}").removeprefix("/"), parse_qs(url.query)
        self.server.requests[key] += 1
        if self.server.failures[key] > 0:
            self.server.failures[key] -= 1
            self._answer(503, b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>")
        elif not key:
            self._answer(200, self._page(**{name: value[0] for name, value in query.items()}))
        elif key in self.server.objects:
            self._send(self.server.objects[key])
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>")

    def _send(self, content: bytes):
        if not (asked := self.headers.get("Range")):
            return self._answer(200, content)
        first, last = asked.removeprefix("bytes=").split("-")
        last = min(int(last or len(content)), len(content) - 1)
        span = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        return self._answer(206, content[int(first) : last + 1], span)

    def _page(self, **query) -> bytes:
        """One answer to ListObjectsV2, in the order of the keys."""
        prefix, after = query.get("prefix", ""), query.get("continuation-token", "")
        found: dict[str, str] = {}
        for key in sorted(key for key in self.server.objects if key.startswith(prefix)):
            rest, below, _ = key.removeprefix(prefix).partition("/")
            name = prefix + rest + below if "delimiter" in query else key
            if name > after:
                found[name] = f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>"
                if name == key:
                    size = len(self.server.objects[key])
                    found[name] = f"<Contents><Key>{escape(key)}</Key><Size>{size}</Size></Contents>"
            if len(found) > PAGE:
                break
        names = list(found)[: min(PAGE, int(query.get("max-keys", PAGE)))]
        more = f"<NextContinuationToken>{escape(names[-1])}</NextContinuationToken>" if len(names) < len(found) else ""
        flags = f"<IsTruncated>{str(bool(more)).lower()}</IsTruncated><KeyCount>{len(names)}</KeyCount>{more}"
        return f"<ListBucketResult>{flags}{''.join(found[name] for name in names)}</ListBucketResult>".encode()

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str] = {}):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), "Last-Modified": DATE, **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
