"""How models are trained: those on this machine, the experiments behind them, and runs of one's own as they go."""

from pages.models.training import runs, shipped
from ser_core.training import list_runs


def show_training() -> None:
    """Runs first, where there are some: they are what changes."""
    if found := list_runs():
        runs.show_runs()
        runs.show_settings(found)
    shipped.show_shipped()
    shipped.show_experiments()
    if not found:
        runs.show_empty()
