"""What predictions over time are worth, from scripts.changing_emotions."""

import numpy as np

from scripts.changing_emotions import IN_A_ROW, RESULT
from scripts.result_blocks.text import points
from ser_core import paths
from ser_core.evaluation import markdown_table

COLUMNS = {
    "timeline": ("timeline", "uar"),
    "segments": ("segments", "uar"),
    "answered %": ("segments", "answered"),
    "of these right %": ("segments", "right"),
    "live, 0.75 s": ("live 0.75", "uar"),
    "live, 1.5 s": ("live 1.5", "uar"),
}


def changing_emotions() -> str:
    """One row for each model and length of the windows; in a cell, both numbers of clips in a row."""
    found = paths.read_json(RESULT)
    if not found:
        return "Not measured yet: python -m scripts.changing_emotions."
    rows = [
        [f"`{name}`", window_s, *_cells([measured["in_a_row"][str(n)][window_s] for n in IN_A_ROW])]
        for name, measured in found.items()
        for window_s in measured["in_a_row"][str(IN_A_ROW[0])]
    ]
    return markdown_table(["model", "window [s]", *COLUMNS], rows)


def _cells(by_corpus: list[dict[str, dict]]) -> list[str]:
    """Means over the corpora, for each number of clips in a row."""
    return [", ".join(points(_mean(found, way, key)) for found in by_corpus) for way, key in COLUMNS.values()]


def _mean(found: dict[str, dict], way: str, key: str) -> float | None:
    """Over the corpora; one without an answer counts as none right. None for a model without a threshold."""
    if key != "uar" and all(scores[way]["answered"] == 1 for scores in found.values()):
        return None
    return float(np.mean([scores[way][key] or 0.0 for scores in found.values()]))
