"""Figures as text, and rounded for files."""

from collections.abc import Callable


def format_percent(value: float, interval: tuple[float, float] | None) -> str:
    """A score as "62.2 [56.7, 68.0]", in percent."""
    if interval is None:
        return f"{100 * value:.1f}"
    return f"{100 * value:.1f} [{100 * interval[0]:.1f}, {100 * interval[1]:.1f}]"


def round_floats(value, rule: Callable[[float], float] = lambda number: round(number, 4)):
    """The same dicts and lists (tuples become lists) with every float rounded, by default to 4 places."""
    if isinstance(value, float):
        return rule(value)
    if isinstance(value, dict):
        return {key: round_floats(item, rule) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [round_floats(item, rule) for item in value]
    return value
