"""What it is worth to name the emotions that can occur."""

import json
from collections.abc import Collection, Mapping

import numpy as np

from scripts.common.head_tables import sample_note
from scripts.result_blocks.text import points
from ser_core import paths
from ser_core.data import LEFT_OUT, SPEAKER_INDEPENDENT_8
from ser_core.evaluation import ALONE, ENROLLED_CLIPS, counts_path, markdown_table, subset_scores
from ser_core.labels import COMMON_EMOTIONS, EMOTIONS

CHOICES: dict[str, Collection[str]] = {
    "neutral, angry": ("neutral", "angry"),
    "neutral, happy, sad, angry": ("neutral", "happy", "sad", "angry"),
    "the six common ones": COMMON_EMOTIONS,
    "those of the corpus": (),
    "all eight": EMOTIONS,
}
COLUMNS = {
    f"{described}: {kind}": (protocol, reference)
    for protocol, described in ((LEFT_OUT, "left-out corpora"), (SPEAKER_INDEPENDENT_8, "unseen speakers"))
    for reference, kind in ((ALONE, "alone"), (ENROLLED_CLIPS, "10 clips"))
}


def possible_emotions() -> str:
    """UAR in percent of each model that was measured: of some choices, and of that among all on the same clips."""
    found = [json.loads(path.read_text()) for path in sorted(paths.RESULTS.glob(counts_path("*").name))]
    if not found:
        return "Not measured yet: python -m scripts.possible_emotions."
    rows = [_row(result, choice) for result in reversed(found) for choice in CHOICES]
    return markdown_table(["among these, among all eight:", "possible emotions", *COLUMNS], rows)


def _row(result: dict, choice: str) -> list[str]:
    cells = (_cell(result["protocols"], *column, CHOICES[choice]) for column in COLUMNS.values())
    return [f"`{result['model']}`{sample_note(result)}", choice, *cells]


def _cell(protocols: dict, protocol: str, reference: str, emotions: Collection[str]) -> str:
    corpora = {corpus: counts[reference] for corpus, counts in protocols[protocol].items()}
    uars = (_mean_uar(corpora, emotions), _mean_uar(corpora, emotions, EMOTIONS))
    return ", ".join(map(points, uars if emotions != EMOTIONS else uars[:1]))


def _mean_uar(corpora: Mapping[str, dict], emotions: Collection[str], possible: Collection[str] = ()) -> float:
    """Mean over the corpora; without emotions, of those that each corpus has."""
    each = [subset_scores({name: counts}, emotions or counts, possible) for name, counts in corpora.items()]
    return float(np.mean([scores["uar"] for scores in each if scores]))
