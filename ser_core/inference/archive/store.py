"""Archives in object stores, by the clients of pyarrow: s3://, gs:// and abfs:// addresses.

Credentials come from the environment and the files of the store's own tools. A request that fails (503, no connection)
is repeated by the client, a bounded number of times with growing pauses. Nothing is written to disk.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from urllib.parse import urlsplit

import pyarrow as pa
from pyarrow.fs import FileInfo, FileSelector, FileSystem, FileType

from ser_core.audio import AudioError, read_bytes
from ser_core.inference.archive.plan import BatchError

SCHEMES = ("s3", "gs", "gcs", "abfs", "abfss")
FILES_AHEAD = 4  # fetched while another one is predicted; at most MAX_AUDIO_BYTES each
MAX_FAILURES = 10  # of files in a row: then the store is out of order and not a file
RETRY_LIMIT = "retry_limit_seconds"
GOOGLE_RETRY_S = 30  # its client would try for 15 minutes
UNANSWERED = (OSError, pa.ArrowException)  # the second one: e.g. no credentials for Azure


class ObjectStoreError(BatchError):
    """A store that cannot be used; the message names the cause and the cure."""


def is_address(folder: str) -> bool:
    """Whether a folder is in an object store."""
    return "://" in folder


@lru_cache(maxsize=1)
def _open_store(address: str) -> tuple[FileSystem, str]:
    """The client, and the path of the folder in the store.

    Raises:
        ObjectStoreError: an address that no client takes.
    """
    url = urlsplit(address)
    if url.scheme not in SCHEMES:
        raise ObjectStoreError(f"{url.scheme}:// is no object store that can be read. There are: {', '.join(SCHEMES)}.")
    users = (None, "anonymous") if url.scheme not in ("abfs", "abfss") else (url.username,)  # there it is the container
    if url.password or url.username not in users:
        raise ObjectStoreError("The address has a key in it. Give keys by the environment, e.g. AWS_ACCESS_KEY_ID.")
    if url.scheme in ("gs", "gcs") and RETRY_LIMIT not in url.query:
        address += f"{'&' if url.query else '?'}{RETRY_LIMIT}={GOOGLE_RETRY_S}"
    try:
        client, root = FileSystem.from_uri(address)
    except UNANSWERED as error:
        raise ObjectStoreError(f"{address} cannot be opened ({error!s:.200}). Check the address.") from None
    return client, root.rstrip("/")


def names_in_store(address: str) -> Iterator[str]:
    """Names of all files below an address, relative to it, sorted, those of a folder before those of its subfolders.

    Those of one folder at a time are in memory, of Google's store all of them: it has no folders, and its client finds
    only those that somebody created.

    Raises:
        ObjectStoreError: the folder does not exist or cannot be listed.
    """
    client, root = _open_store(address)
    at_once = client.type_name == "gcs"
    waiting = [root]
    while waiting:
        folder, subfolders = waiting.pop(), []
        for found in _list_folder(client, folder, at_once):
            if found.type == FileType.Directory:
                subfolders.append(found.path)
            elif not found.base_name.startswith("."):
                yield found.path[len(root) + 1 :]
        waiting += [] if at_once else reversed(subfolders)


def _list_folder(client: FileSystem, folder: str, at_once: bool) -> list[FileInfo]:
    """What is in a folder, `at_once` also all that is below."""
    try:
        found = sorted(client.get_file_info(FileSelector(folder, recursive=at_once)), key=_place)
    except UNANSWERED as error:
        if isinstance(error, FileNotFoundError) or "No such file" in str(error):  # Google's client has no class for it
            raise ObjectStoreError(f"There is no folder {folder!r} in the store. Check the address.") from None
        raise ObjectStoreError(f"{folder!r} cannot be listed ({error!s:.200}). Start the same command again.") from None
    if any(info.path == folder or "//" in info.path for info in found):
        raise ObjectStoreError(f"A name below {folder!r} has two slashes in a row, which no client reads. Rename it.")
    return found


def _place(info: FileInfo) -> list[tuple[bool, str]]:
    """Sorts the files of a folder before its subfolders."""
    *folders, name = info.path.split("/")
    return [*((True, folder) for folder in folders), (info.type == FileType.Directory, name)]


def fetch_files(address: str, names: Sequence[str]) -> Iterator[bytes | AudioError]:
    """Contents of files in the order of the names, or why there is none; a few are fetched ahead.

    Raises:
        ObjectStoreError: the store answers for none of many files in a row.
    """
    n_failures = 0
    with ThreadPoolExecutor(FILES_AHEAD) as pool:
        waiting = deque(pool.submit(_fetch, address, name) for name in names[:FILES_AHEAD])
        for following in [*names[FILES_AHEAD:], *[None] * len(waiting)]:
            content = waiting.popleft().result()
            n_failures = n_failures + 1 if isinstance(content, _Unanswered) else 0
            if n_failures == MAX_FAILURES:
                raise ObjectStoreError(
                    f"{MAX_FAILURES} files in a row failed: start the same command again. {content!s}"
                )
            if following is not None:
                waiting.append(pool.submit(_fetch, address, following))
            yield content


class _Unanswered(AudioError):
    """A file that the store did not give, although it may have it."""


def _fetch(address: str, name: str) -> bytes | AudioError:
    client, root = _open_store(address)
    try:
        # A file that can be sought holds up all other threads while Google's client asks for its size.
        with client.open_input_stream(f"{root}/{name}") as file:
            return read_bytes(file)
    except AudioError as error:
        return error
    except FileNotFoundError:
        return AudioError(f"File not found in the store: {name[-80:]!r}. Check the path.")
    except UNANSWERED as error:
        return _Unanswered(f"The store did not give this file, after several tries ({error!s:.200}).")
