"""Downloads: resumed after an interruption, verified by checksum.

Written by hand on urllib: the corpora need no authentication or mirrors, and a download of 25 GB has to survive
interruptions without a further dependency.
"""

import errno
import hashlib
import http.client
import json
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

MAX_DOWNLOAD_ATTEMPTS = 6
INITIAL_BACKOFF_S = 1.0  # doubled before each further attempt
MAX_BACKOFF_S = 60.0  # also if the server requests a longer pause
DOWNLOAD_TIMEOUT_S = 60.0  # without receiving a byte
DOWNLOAD_CHUNK_BYTES = 1 << 20
MAX_LISTING_BYTES = 50_000_000
MIN_FREE_BYTES = 100_000_000  # left to the system
GIT_BLOB = "git-blob"  # SHA-1 as git computes it: of a header with the size, and the content
CHECKSUM_ALGORITHMS = ("md5", "sha1", "sha256", "sha512", GIT_BLOB)
RETRYABLE_STATUSES = (408, 429, 500, 502, 503, 504)  # HTTP statuses after which a retry may succeed

T = TypeVar("T")


class DownloadError(ValueError):
    """File that cannot be downloaded; the message names the cause and the cure."""


@dataclass(frozen=True)
class RemoteFile:
    """Remote file with the size and checksum that a complete download has."""

    name: str
    url: str
    n_bytes: int
    algorithm: str  # one of CHECKSUM_ALGORITHMS
    digest: str  # hexadecimal

    def __post_init__(self):
        if self.algorithm not in CHECKSUM_ALGORITHMS:
            raise ValueError(f"Unknown checksum algorithm of {self.name}: {self.algorithm!r}")


def download_file(file: RemoteFile, path: Path, progress: Callable[[int], object] = lambda n_bytes: None) -> None:
    """Download a file; it appears at `path` once it is complete and its checksum matches.

    Args:
        file: what to download.
        path: target; an interrupted download is kept at `<path>.partial`.
        progress: called with the number of bytes received, negative if bytes were discarded.

    Raises:
        DownloadError: refused by the server, or interrupted or damaged at every attempt.
    """
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    progress(partial.stat().st_size if partial.is_file() else 0)

    def attempt() -> None:
        _resume_download(file, partial, progress)
        if _file_digest(partial, file.algorithm) != file.digest:
            _discard_partial(partial, progress)
            raise OSError("its checksum does not match")

    _retry(attempt, file.url, f"{file.name} could not be downloaded")
    partial.replace(path)


def read_url(url: str, headers: dict[str, str] | None = None) -> bytes:
    """Content of a small file.

    Raises:
        DownloadError: as for download_file, or larger than 50 MB.
    """

    def attempt() -> bytes:
        with _open_url(url, headers or {}) as response:
            return response.read(MAX_LISTING_BYTES + 1)

    content = _retry(attempt, url, f"{url} could not be read")
    if len(content) > MAX_LISTING_BYTES:
        raise DownloadError(f"{url} has more than {MAX_LISTING_BYTES / 1e6:g} MB: not a list of files.")
    return content


def fetch_json(url: str) -> dict:
    """JSON object at a URL.

    Raises:
        DownloadError: as for read_url, or the content is not a JSON object.
    """
    text = read_url(url, {"Accept": "application/json"})
    try:
        content = json.loads(text)
    except ValueError:
        raise DownloadError(f"{url} does not return JSON: the service has changed or is out of order.") from None
    if not isinstance(content, dict):
        raise DownloadError(f"{url} does not return a JSON object: the service has changed.")
    return content


def check_free_space(folder: Path, n_bytes: int) -> None:
    """Check the disk before writing.

    Raises:
        DownloadError: not enough space for this many bytes.
    """
    free = shutil.disk_usage(folder).free
    if n_bytes + MIN_FREE_BYTES > free:
        raise DownloadError(
            f"{folder} needs {n_bytes / 1e9:.1f} GB of disk space, {free / 1e9:.1f} GB are free. "
            "Make room, or choose another folder with --to."
        )


def _resume_download(file: RemoteFile, partial: Path, progress: Callable[[int], object]) -> None:
    """Append the missing bytes to a partial download.

    Raises:
        OSError, http.client.HTTPException: the connection broke, or the server does not respond.
    """
    n_bytes = partial.stat().st_size if partial.is_file() else 0
    if n_bytes > file.n_bytes:
        _discard_partial(partial, progress)
        n_bytes = 0
    if n_bytes == file.n_bytes > 0:
        return
    with _open_url(file.url, {"Range": f"bytes={n_bytes}-"} if n_bytes else {}) as response:
        if n_bytes and not _resumes_at(response, n_bytes):
            _discard_partial(partial, progress)
            n_bytes = 0
        with partial.open("ab") as target:
            while chunk := response.read1(DOWNLOAD_CHUNK_BYTES):
                n_bytes += len(chunk)
                if n_bytes > file.n_bytes:
                    raise OSError("received more bytes than declared")
                target.write(chunk)
                progress(len(chunk))
    if n_bytes < file.n_bytes:
        raise OSError(f"interrupted after {n_bytes} of {file.n_bytes} bytes")


def _resumes_at(response: http.client.HTTPResponse, position: int) -> bool:
    """Whether the server sends the requested range; one without support for ranges sends the full file."""
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {position}-")


def _open_url(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "speech-emotion-workbench"} | headers)
    return urllib.request.urlopen(request, timeout=DOWNLOAD_TIMEOUT_S)


def _retryable_error(error: Exception, url: str) -> str:
    """Message of a failed attempt after which a retry may succeed.

    Raises:
        DownloadError: a retry cannot succeed.
    """
    if isinstance(error, urllib.error.HTTPError):
        with error:
            if error.code not in (*RETRYABLE_STATUSES, 416):
                raise DownloadError(f"{url} is not available: HTTP status {error.code} ({error.reason}).") from None
            return f"HTTP status {error.code} ({error.reason})"
    if getattr(error, "errno", None) == errno.ENOSPC:
        raise DownloadError("The disk is full. Make room, then start the same command again.") from None
    return str(getattr(error, "reason", error)) or type(error).__name__


def _retry(attempt: Callable[[], T], url: str, failure: str) -> T:
    """The result of an attempt, which is repeated after errors that may pass, with growing pauses."""
    for number in range(MAX_DOWNLOAD_ATTEMPTS):
        if number:
            time.sleep(min(INITIAL_BACKOFF_S * 2 ** (number - 1), MAX_BACKOFF_S))
        try:
            return attempt()
        except (OSError, http.client.HTTPException) as error:
            problem = _retryable_error(error, url)
    raise DownloadError(f"{failure}: {problem}. Start the same command again later.")


def _discard_partial(partial: Path, progress: Callable[[int], object]) -> None:
    if partial.is_file():
        progress(-partial.stat().st_size)
        partial.unlink()


def _file_digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        if algorithm != GIT_BLOB:
            return hashlib.file_digest(file, algorithm).hexdigest()
        header = hashlib.sha1(b"blob %d\0" % path.stat().st_size)
        return hashlib.file_digest(file, header.copy).hexdigest()
