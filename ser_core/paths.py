"""Folders of the program, and the one way to write a file."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

PACKAGE = Path(__file__).parent
ROOT = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else PACKAGE
"""The checkout, or the installed package, which carries its own `checkpoints/` and `assets/`."""

CHECKPOINTS = ROOT / "checkpoints"
ENCODERS = CHECKPOINTS / "encoders"  # pre-trained, shared by the checkpoints that name them
ASSETS = ROOT / "assets"
PROTOCOLS = ASSETS / "protocols"
RESULTS = ASSETS / "results"
SAMPLES = ASSETS / "samples"
ICON = ASSETS / "icon.svg"
PUBLISHED_TABLES = ASSETS / "published.json"
EXPERIMENT_LOG = ASSETS / "experiments.jsonl"
EMBEDDINGS = Path(os.environ.get("SER_EMBEDDINGS") or ASSETS / "embeddings")
RUNS = Path("runs")  # of scripts.train, in the working directory
STATIC = PACKAGE / "serving" / "static"
"""JavaScript, CSS and HTML of the live page; the recorder of the other pages shares its microphone.js."""
STREAMS = (Path("/dev"), Path("/dev/fd"))
"""Where a name stays what it is also while it leads to a file, as /dev/stdout does behind `> result.json`."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A path to write to: the file appears under its own name complete or not at all, also after a power cut.

    Of several writers of one file, each waits for the one before it. A device or a pipe, e.g. /dev/stdout or /dev/null,
    is written to as it is.

    Raises:
        OSError: the fault of the file system; the old file is still there.
    """
    if _is_stream(path):
        yield path
        return
    temporary = path.with_name(f"{path.name}.tmp")  # which no listing by suffix takes for a finished file
    with _locked(temporary):
        try:
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def _is_stream(path: Path) -> bool:
    """Whether a file put in its place would take it from every other program."""
    return path.parent in STREAMS or (path.exists() and not path.is_file() and not path.is_dir())


@contextmanager
def atomic_file(path: Path, mode: str, **options: Any) -> Iterator[IO]:
    """A file open for writing, for a library that needs one; arguments as open(), errors as atomic_path."""
    with atomic_path(path) as temporary, temporary.open(mode, **options) as file:
        yield file


def file_sha256(path: Path) -> str:
    """Hash of the content of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_text(path: Path, text: str) -> None:
    """Writes a text file; arguments and errors as atomic_path."""
    with atomic_path(path) as temporary:
        temporary.write_text(text)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a file; arguments and errors as atomic_path."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, content: object, allow_nan: bool = True) -> None:
    """Writes a JSON file with a value a line, in a folder that is made if missing; errors as atomic_path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(path, json.dumps(content, indent=1, allow_nan=allow_nan) + "\n")


def read_json(path: Path) -> dict:
    """What write_json wrote; empty where there is no file."""
    return json.loads(path.read_text()) if path.is_file() else {}


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """A lock on a file, which is made if there is none, released however this process ends."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if _is_file(handle, path):  # else the writer before has renamed it
                yield
                return
        finally:
            os.close(handle)


def _is_file(handle: int, path: Path) -> bool:
    try:
        return os.path.samefile(handle, path)
    except FileNotFoundError:
        return False


@contextmanager
def only_writer(folder: Path, refusal: Exception) -> Iterator[None]:
    """A lock on a folder, which is made if there is none; released however this process ends, also by a crash.

    Args:
        refusal: raised if another process holds the lock.
    """
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise refusal from None
        yield
    finally:
        os.close(handle)
