"""Errors that a person can mend, as a message instead of a traceback."""

import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path

from ser_core import paths

Main = Callable[[list[str] | None], int]


def explains(*errors: type[Exception], cure: str = "") -> Callable[[Main], Main]:
    """For the main function of a command: prints the message of one of these errors, and the exit code is 2.

    The same for an OSError, such as a full disk, also of standard output. If nobody reads the output any more, the
    command ends quietly, with exit code 1.

    Args:
        cure: the sentence after the message of an OSError.
    """

    def decorate(main: Main) -> Main:
        @wraps(main)
        def run(arguments: list[str] | None = None) -> int:
            try:
                code = main(arguments)
                if sys.stdout:
                    sys.stdout.flush()
                return code
            except BrokenPipeError:  # the reader, such as `head`, has enough
                discard_output()
                return 1
            except OSError as error:
                flush_or_discard()
                print(f"{describe(error)} {cure}".rstrip(), file=sys.stderr)
            except errors as error:
                print(error, file=sys.stderr)
            return 2

        return run

    return decorate


def is_writable(path: Path) -> bool:
    """Whether a file can be written there, in folders that are made if missing."""
    if path.parent in paths.STREAMS:
        return os.access(path, os.W_OK)
    there = next(parent for parent in path.absolute().parents if parent.exists())
    return there.is_dir() and os.access(there, os.W_OK) and not path.is_dir()


def check_writable(path: Path) -> None:
    """Checks, before minutes of work, that their result can be written.

    Raises:
        OSError: it cannot.
    """
    if not is_writable(path):
        raise OSError(f"{path} could not be written: nothing was computed. Make its folder writable.")


def describe(error: OSError) -> str:
    """A sentence that names the file, if it is known; the text of the error where a library wrote its own."""
    if not error.strerror:
        return str(error)
    return f"{error.filename} cannot be read or written: {error.strerror}." if error.filename else f"{error.strerror}."


def flush_or_discard() -> None:
    """Prints what is waiting for standard output, unless that is what failed."""
    try:
        print(end="", flush=True)
    except OSError:
        discard_output()


def discard_output() -> None:
    """Standard output leads nowhere from now on: what could not be written fails again when the program ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
