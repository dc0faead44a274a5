"""Files from the internet: continued where they broke off, checked before they count, unpacked with care."""

import errno
import hashlib
import http.client
import json
import shutil
import stat
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

MAX_DOWNLOAD_ATTEMPTS = 6
INITIAL_BACKOFF_S = 1.0  # doubled before each further attempt
MAX_BACKOFF_S = 60.0  # also where the server asks for more
DOWNLOAD_TIMEOUT_S = 60.0  # without a byte
DOWNLOAD_CHUNK_BYTES = 1 << 20  # bytes
MAX_LISTING_BYTES = 50_000_000
MAX_COMPRESSION_RATIO = 20  # times the size of the archive; sound compresses to a third at best
MIN_FREE_BYTES = 100_000_000  # bytes that are left to the system
CHECKSUM_ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
RETRYABLE_STATUSES = (408, 429, 500, 502, 503, 504)  # HTTP statuses that are worth another attempt


class DownloadError(ValueError):
    """A file that cannot be had; the message names the cause and the cure."""


@dataclass(frozen=True)
class RemoteFile:
    """A file, and how to know that it has come whole."""

    name: str
    url: str
    n_bytes: int
    algorithm: str  # one of ALGORITHMS
    digest: str  # hexadecimal

    def __post_init__(self):
        if self.algorithm not in CHECKSUM_ALGORITHMS:
            raise ValueError(f"{self.name} has a checksum of the kind {self.algorithm!r}")


def download_file(file: RemoteFile, path: Path, progress: Callable[[int], object] = lambda n_bytes: None) -> None:
    """Downloads a file; it appears at `path` only when it is whole and its checksum is right.

    Args:
        progress: called with the bytes that came, less than 0 where some have to come again.

    Raises:
        DownloadError: refused by the server, broken off or damaged again and again.
    """
    partial = path.with_name(f"{path.name}.partial")
    path.parent.mkdir(parents=True, exist_ok=True)
    progress(partial.stat().st_size if partial.is_file() else 0)
    problem = ""
    for attempt in range(MAX_DOWNLOAD_ATTEMPTS):
        _back_off(attempt, problem)
        try:
            _resume_download(file, partial, progress)
        except (OSError, http.client.HTTPException) as error:
            problem = _retryable_error(error, file.url)
            continue
        if _file_digest(partial, file.algorithm) == file.digest:
            partial.replace(path)
            return
        problem = "its checksum is wrong"
        _discard_partial(partial, progress)
    raise DownloadError(f"{file.name} could not be downloaded: {problem}. Start the same command again later.")


def read_url(url: str, headers: dict[str, str] | None = None) -> bytes:
    """The content of a small file.

    Raises:
        DownloadError: as for fetch, or more than 50 MB.
    """
    problem = ""
    for attempt in range(MAX_DOWNLOAD_ATTEMPTS):
        _back_off(attempt, problem)
        try:
            with _open_url(url, headers or {}) as response:
                content = response.read(MAX_LISTING_BYTES + 1)
        except (OSError, http.client.HTTPException) as error:
            problem = _retryable_error(error, url)
            continue
        if len(content) > MAX_LISTING_BYTES:
            raise DownloadError(f"{url} holds more than {MAX_LISTING_BYTES / 1e6:g} MB: it is no list of files.")
        return content
    raise DownloadError(f"{url} could not be read: {problem}. Start the same command again later.")


def read_json(url: str) -> dict:
    """The JSON object at an address.

    Raises:
        DownloadError: as for read_url, or something else than a JSON object.
    """
    try:
        found = json.loads(read_url(url, {"Accept": "application/json"}))
    except ValueError as error:
        if isinstance(error, DownloadError):
            raise
        raise DownloadError(f"{url} does not answer with JSON: the service has changed or is out of order.") from None
    if not isinstance(found, dict):
        raise DownloadError(f"{url} answers with something unexpected: the service has changed.")
    return found


def check_free_space(folder: Path, n_bytes: int) -> None:
    """Before anything is written.

    Raises:
        DownloadError: the disk has no room for so many bytes.
    """
    free = shutil.disk_usage(folder).free
    if n_bytes + MIN_FREE_BYTES > free:
        raise DownloadError(
            f"{n_bytes / 1e9:.1f} GB are needed in {folder} and {free / 1e9:.1f} GB are free. "
            "Make room, or choose another folder with --to."
        )


def unpack_zip(archive: Path, folder: Path, wanted: Callable[[PurePosixPath], bool]) -> None:
    """Unpacks a zip archive; `folder` appears only when all of it is there.

    Args:
        wanted: of each member's name, whether it is unpacked.

    Raises:
        DownloadError: no zip archive, damaged, encrypted, absurdly large, or with names that lead out of the folder.
    """
    beside = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as members:
            chosen = [m for m in members.infolist() if not m.is_dir() and wanted(_safe_name(m))]
            n_bytes = sum(member.file_size for member in chosen)
            if n_bytes > MAX_COMPRESSION_RATIO * archive.stat().st_size:
                raise DownloadError(f"{archive.name} would unpack to {n_bytes / 1e9:.1f} GB: it is not what it claims.")
            check_free_space(archive.parent, n_bytes)
            for member in chosen:
                _unpack_member(members, member, beside / _safe_name(member))
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, FileExistsError, ValueError) as error:
        shutil.rmtree(beside, ignore_errors=True)
        if isinstance(error, DownloadError):
            raise
        raise DownloadError(f"{archive.name} cannot be unpacked ({error!s:.100}). Download it again.") from None
    if not chosen:
        raise DownloadError(f"{archive.name} holds none of the recordings that it should hold.")
    beside.replace(folder)


def _safe_name(member: zipfile.ZipInfo) -> PurePosixPath:
    """The name of a member that is a plain file inside the folder, whatever system reads it."""
    name = PurePosixPath(member.filename)
    leads_out = name.is_absolute() or ".." in name.parts or "\\" in member.filename or ":" in member.filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if leads_out or kind not in (0, stat.S_IFREG):
        raise DownloadError(f"The archive holds {member.filename[:80]!r}, which leads out of its folder: not unpacked.")
    return name


def _unpack_member(members: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with members.open(member) as source, path.open("xb") as target:  # reads no more than the size that was summed up
        shutil.copyfileobj(source, target, DOWNLOAD_CHUNK_BYTES)


def _resume_download(file: RemoteFile, partial: Path, progress: Callable[[int], object]) -> None:
    """Appends what is missing.

    Raises:
        OSError, http.client.HTTPException: it broke off, or the server does not answer.
    """
    there = partial.stat().st_size if partial.is_file() else 0
    if there > file.n_bytes:
        _discard_partial(partial, progress)
        there = 0
    if there == file.n_bytes > 0:
        return
    with _open_url(file.url, {"Range": f"bytes={there}-"} if there else {}) as response:
        if there and not _resumes_at(response, there):
            _discard_partial(partial, progress)
            there = 0
        with partial.open("ab") as target:
            while chunk := response.read1(DOWNLOAD_CHUNK_BYTES):
                there += len(chunk)
                if there > file.n_bytes:
                    raise OSError("more bytes came than were promised")
                target.write(chunk)
                progress(len(chunk))
    if there < file.n_bytes:
        raise OSError(f"it broke off after {there} of {file.n_bytes} bytes")


def _resumes_at(response: http.client.HTTPResponse, position: int) -> bool:
    """Whether the server sends the rest; one that knows no ranges sends all of it."""
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {position}-")


def _open_url(url: str, headers: dict[str, str]) -> http.client.HTTPResponse:
    request = urllib.request.Request(url, headers={"User-Agent": "speech-emotion-workbench"} | headers)
    return urllib.request.urlopen(request, timeout=DOWNLOAD_TIMEOUT_S)


def _retryable_error(error: Exception, url: str) -> str:
    """Why an attempt failed, where another one may help.

    Raises:
        DownloadError: where none will.
    """
    if isinstance(error, urllib.error.HTTPError):
        with error:
            if error.code not in (*RETRYABLE_STATUSES, 416):
                raise DownloadError(f"{url} cannot be had: the server answers {error.code} ({error.reason}).") from None
            return f"the server answers {error.code} ({error.reason})"
    if getattr(error, "errno", None) == errno.ENOSPC:
        raise DownloadError("The disk is full. Make room, then start the same command again.") from None
    return str(getattr(error, "reason", error)) or type(error).__name__


def _back_off(attempt: int, problem: str) -> None:
    if problem:
        time.sleep(min(INITIAL_BACKOFF_S * 2 ** (attempt - 1), MAX_BACKOFF_S))


def _discard_partial(partial: Path, progress: Callable[[int], object]) -> None:
    if partial.is_file():
        progress(-partial.stat().st_size)
        partial.unlink()


def _file_digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
