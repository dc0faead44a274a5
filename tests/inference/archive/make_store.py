"""A small object store on this machine, with as much of three protocols as reading needs, which can be out of order."""

import json
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

BUCKET = "recordings"
PAGE = 1000  # names in one answer, as with S3
DATE = "Thu, 01 Jan 2026 00:00:00 GMT"


class FakeStore(ThreadingHTTPServer):
    """Objects by key; `failures` of a key are answered with 503 before the object.

    Args:
        scheme: of its protocol: s3, gs or abfs.
    """

    daemon_threads = True

    def __init__(self, objects: Mapping[str, bytes], scheme: str = "s3"):
        self.protocol = PROTOCOLS[scheme]
        super().__init__(("127.0.0.1", 0), self.protocol)
        self.objects, self.failures, self.requests = objects, Counter[str](), Counter[str]()

    def address(self, prefix: str) -> str:
        """Of a folder in the store."""
        return self.protocol.address.format(bucket=BUCKET, prefix=prefix, server=f"127.0.0.1:{self.server_port}")

    def page(self, prefix: str, delimiter: str, after: str, n_most: int) -> "Page":
        """Names below a prefix in the order of the keys; those that go on after the delimiter are cut there."""
        found = set()
        for key in self.objects:
            if key.startswith(prefix):
                rest, below, _ = key.removeprefix(prefix).partition(delimiter) if delimiter else (key, "", "")
                found.add(prefix + rest + below if delimiter else key)
        names = sorted(name for name in found if name > after)
        kept = names[:n_most]
        objects = [name for name in kept if name in self.objects]
        return Page(objects, [n for n in kept if n not in objects], kept[-1] if len(kept) < len(names) else "")


class Page(NamedTuple):
    """One answer to a request for names."""

    objects: list[str]
    folders: list[str]
    next_after: str  # "": this is the last page


@contextmanager
def running_store(objects: Mapping[str, bytes], scheme: str = "s3") -> Iterator[FakeStore]:
    """A store in a thread of this process."""
    with FakeStore(objects, scheme) as store:
        threading.Thread(target=store.serve_forever, daemon=True).start()
        yield store
        store.shutdown()


class _Protocol(BaseHTTPRequestHandler, ABC):
    """Answers of a store. Addresses have {bucket}, {prefix} and {server}."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and content are sent at once
    server: FakeStore
    address: str
    root: str  # of all keys, in the path of a request
    busy = b""  # the content of a 503
    page_type = "application/xml"
    range_header = "Range"
    headers_of_all: ClassVar[Mapping[str, str]] = {}

    def log_message(self, *_):
        """Silent."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        url = urlsplit(self.path)
        key = unquote(url.path.removeprefix(self.root)).removeprefix("/")
        self.server.requests[key] += 1
        if self.server.failures[key] > 0:
            self.server.failures[key] -= 1
            self._answer(503, self.busy)
        elif not key:
            page = self._list({name: value[0] for name, value in parse_qs(url.query).items()})
            self._answer(200, page, {"Content-Type": self.page_type})
        elif key in self.server.objects:
            self._send(key, url.query)
        else:
            self._answer(404, b"<Error><Code>NoSuchKey</Code><Message>no such key</Message></Error>")

    @abstractmethod
    def _list(self, query: Mapping[str, str]) -> bytes:
        """A page of names."""

    def _send(self, key: str, _query: str):
        content = self.server.objects[key]
        if not (asked := self.headers.get(self.range_header)):
            return self._answer(200, content)
        first, last = asked.removeprefix("bytes=").split("-")
        last = min(int(last or len(content)), len(content) - 1)
        span = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
        return self._answer(206, content[int(first) : last + 1], span)

    def _answer(self, status: int, content: bytes, headers: Mapping[str, str] = {}):
        self.send_response(status)
        common = {"Content-Length": str(len(content)), "Last-Modified": DATE, "ETag": '"1"'}
        for name, value in (common | self.headers_of_all | dict(headers)).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _size(self, key: str) -> int:
        return len(self.server.objects[key])


class _S3(_Protocol):
    address = "s3://{bucket}/{prefix}?scheme=http&endpoint_override={server}&region=us-east-1"
    root = f"/{BUCKET}"
    busy = b"<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>"

    def _list(self, query: Mapping[str, str]) -> bytes:
        """ListObjectsV2."""
        most = min(PAGE, int(query.get("max-keys", PAGE)))
        found = self.server.page(
            query.get("prefix", ""), query.get("delimiter", ""), query.get("continuation-token", ""), most
        )
        names = [f"<Contents><Key>{escape(n)}</Key><Size>{self._size(n)}</Size></Contents>" for n in found.objects]
        names += [f"<CommonPrefixes><Prefix>{escape(n)}</Prefix></CommonPrefixes>" for n in found.folders]
        after = found.next_after
        names += [f"<NextContinuationToken>{escape(after)}</NextContinuationToken>"] if after else []
        flags = f"<IsTruncated>{str(bool(after)).lower()}</IsTruncated>"
        flags += f"<KeyCount>{len(found.objects) + len(found.folders)}</KeyCount>"
        return f"<ListBucketResult>{flags}{''.join(names)}</ListBucketResult>".encode()


class _Google(_Protocol):
    address = "gs://anonymous@{bucket}/{prefix}?scheme=http&endpoint_override={server}"
    root = f"/storage/v1/b/{BUCKET}/o"
    page_type = "application/json"

    def _list(self, query: Mapping[str, str]) -> bytes:
        found = self.server.page(query.get("prefix", ""), query.get("delimiter", ""), query.get("pageToken", ""), PAGE)
        page = {"items": [self._about(name) for name in found.objects], "prefixes": found.folders}
        return json.dumps(page | ({"nextPageToken": found.next_after} if found.next_after else {})).encode()

    def _send(self, key: str, query: str):
        if "alt=media" in query:
            return super()._send(key, query)
        return self._answer(200, json.dumps(self._about(key)).encode())

    def _about(self, key: str) -> dict:
        return {"name": key, "bucket": BUCKET, "size": str(self._size(key)), "generation": "1"}


class _Azure(_Protocol):
    address = "abfs://account@{server}/{bucket}/{prefix}?enable_tls=false&credential_kind=anonymous"
    root = f"/account/{BUCKET}"
    range_header = "x-ms-range"
    headers_of_all: ClassVar[Mapping[str, str]] = {
        "x-ms-creation-time": DATE,
        "x-ms-blob-type": "BlockBlob",
        "x-ms-server-encrypted": "true",
        "x-ms-request-id": "1",
    }

    def do_HEAD(self):
        if "action=getAccessControl" in self.path:  # asks whether there are real folders
            return self._answer(400, b"")
        return super().do_HEAD()

    def _list(self, query: Mapping[str, str]) -> bytes:
        """List Blobs."""
        found = self.server.page(query.get("prefix", ""), query.get("delimiter", ""), query.get("marker", ""), PAGE)
        names = "".join(f"<Blob><Name>{escape(name)}</Name>{self._about(name)}</Blob>" for name in found.objects)
        names += "".join(f"<BlobPrefix><Name>{escape(name)}</Name></BlobPrefix>" for name in found.folders)
        page = f"<Blobs>{names}</Blobs><NextMarker>{escape(found.next_after)}</NextMarker>"
        return f"<EnumerationResults>{page}</EnumerationResults>".encode()

    def _about(self, key: str) -> str:
        size = f"<Content-Length>{self._size(key)}</Content-Length>"
        return f"<Properties><Last-Modified>{DATE}</Last-Modified>{size}<BlobType>BlockBlob</BlobType></Properties>"


PROTOCOLS: dict[str, type[_Protocol]] = {"s3": _S3, "gs": _Google, "abfs": _Azure}
