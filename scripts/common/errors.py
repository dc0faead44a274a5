"""Errors that a person can mend, as a message instead of a traceback."""

import os
import sys
from collections.abc import Callable
from functools import wraps

Main = Callable[[list[str] | None], int]


def explains(*errors: type[Exception]) -> Callable[[Main], Main]:
    """For the main function of a command: prints the message of one of these errors, and the exit code is 2.

    If nobody reads the output any more, the command ends quietly, with exit code 1.
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
            except errors as error:
                print(error, file=sys.stderr)
                return 2

        return run

    return decorate


def discard_output() -> None:
    """Standard output leads nowhere from now on: what could not be written fails again when the program ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
