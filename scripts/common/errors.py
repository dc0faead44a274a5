"""Errors that a person can mend, as a message instead of a traceback."""

import sys
from collections.abc import Callable
from functools import wraps

Main = Callable[[list[str] | None], int]


def explains(*errors: type[Exception]) -> Callable[[Main], Main]:
    """For the main function of a command: prints the message of one of these errors, and the exit code is 2."""

    def decorate(main: Main) -> Main:
        @wraps(main)
        def run(arguments: list[str] | None = None) -> int:
            try:
                return main(arguments)
            except errors as error:
                print(error, file=sys.stderr)
                return 2

        return run

    return decorate
