"""What tests ask the system about processes: children, their end, waiting for it."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def _status(process_id: int) -> list[str]:
    """State, parent and more, from /proc; empty when the process has ended."""
    with suppress(OSError):
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()
    return []


def children_of(process_id: int) -> list[int]:
    """Ids of the running children."""
    ids = [int(path.name) for path in Path("/proc").glob("[0-9]*")]
    return [child for child in ids if _status(child)[1:2] == [str(process_id)]]


def has_ended(process_id: int) -> bool:
    """Whether a process has ended, even if its parent has not waited for it."""
    return _status(process_id)[:1] in ([], ["Z"])


def eventually(condition: Callable[[], object], seconds: float = 20.0) -> bool:
    """Waits until a condition holds; whether it does."""
    end_s = time.monotonic() + seconds
    while not (held := condition()) and time.monotonic() < end_s:
        time.sleep(0.02)
    return bool(held)
