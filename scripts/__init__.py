"""The commands, `python -m scripts.NAME`."""

import sys
from types import TracebackType

from ser_core import threads  # noqa: F401 - before torch, which some commands import first


def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """A sentence for Ctrl-C while the libraries of a command are still imported, outside its `try`."""
    if issubclass(kind, KeyboardInterrupt):
        print("\nInterrupted.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


sys.excepthook = explain
