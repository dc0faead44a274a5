"""How a long computation reports its progress: a function that gets the share that is done, in (0, 1]."""

from collections.abc import Callable

Progress = Callable[[float], None]


def no_progress(share: float) -> None:
    """Reports to nobody."""
