"""What all services share: their listing, the recordings in it that are missing, and the transfer."""

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from queue import SimpleQueue

from ser_core.data.downloads import DownloadError, RemoteFile, check_free_space, download_file
from ser_core.data.file_names import parse_filename
from ser_core.data.utterances import Utterance

N_PARALLEL_DOWNLOADS = 8  # for corpora of thousands of small files
DownloadProgress = Callable[[int, int], object]
"""Called with the number of bytes received and the number of further bytes expected, in the thread of the caller."""


def missing_recordings(listed: Iterable[str], folder: Path, home: str) -> list[str]:
    """Names of the recordings that are not downloaded yet."""
    names = [name for name in listed if _is_safe_recording_name(name)]
    if not names:
        raise DownloadError(f"{home} lists no recordings: the service has changed.")
    return [name for name in names if not (folder / name).is_file()]


def download_files(files: Sequence[RemoteFile], root: Path, folder: Path, progress: DownloadProgress) -> None:
    """Download in parallel; after an interruption the finished files are kept."""
    n_bytes = sum(file.n_bytes for file in files)
    check_free_space(root, n_bytes)
    progress(0, n_bytes)
    came: SimpleQueue[int | Future] = SimpleQueue()  # bytes of any file; a file that is there
    pool = ThreadPoolExecutor(N_PARALLEL_DOWNLOADS)
    try:
        for file in files:
            pool.submit(download_file, file, folder / file.name, came.put).add_done_callback(came.put)
        n_running = len(files)
        while n_running:
            if isinstance(event := came.get(), Future):
                event.result()
                n_running -= 1
            else:
                progress(event, 0)
    finally:
        pool.shutdown(cancel_futures=True)


def read_listing(read: Callable, response: dict, address: str):
    """Files listed in the response of a service, parsed by `read`."""
    try:
        return read(response, address)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, DownloadError):
            raise
        raise DownloadError(f"{address} lists its files in an unknown format: the service has changed.") from None


def is_recording(name: PurePosixPath) -> bool:
    return name.suffix.lower() == ".wav" and isinstance(parse_filename(Path(name.name)), Utterance)


def _is_safe_recording_name(name: str) -> bool:
    """Whether a name from a server is safe as a local file name."""
    return bool(re.fullmatch(r"\w+\.wav", name, re.ASCII)) and is_recording(PurePosixPath(name))
