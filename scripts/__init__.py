"""The commands, `python -m scripts.NAME`."""

from ser_core import threads  # noqa: F401 - before torch, which some commands import first
