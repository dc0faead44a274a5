"""Figures and names as the cells of a table."""

from collections.abc import Iterable

from ser_core.evaluation import RankedModel

MISSING = "not trained yet"
NOT_SHIPPED = "\u2020"
NOT_SHIPPED_NOTE = f"{NOT_SHIPPED} The weights are not part of the repository: the figures cannot be repeated from it."


def marked(name: str, ranked: RankedModel | None) -> str:
    """The name, marked where the weights are not shipped."""
    return f"`{name}`" + (f" {NOT_SHIPPED}" if ranked and not ranked.shipped else "")


def note_on_weights(ranking: Iterable[RankedModel | None]) -> str:
    return f"\n\n{NOT_SHIPPED_NOTE}" if any(ranked and not ranked.shipped for ranked in ranking) else ""


def percent(source: dict | None, measure: str) -> str:
    return points((source or {}).get(measure))


def points(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f}"
