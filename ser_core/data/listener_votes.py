"""Listeners' votes on the emotion of CREMA-D's recordings."""

import csv
from pathlib import Path

import numpy as np

from ser_core.data.utterances import CorpusError
from ser_core.labels import EMOTIONS

ListenerVotes = dict[str, np.ndarray]
"""Utterance id -> share of the listeners' votes for each of EMOTIONS, shape = (n_classes,)."""


def read_listener_votes(root: Path) -> ListenerVotes | None:
    """Votes on the audio alone, from `crema_d/voice_votes.csv` in a corpora folder; None if the file is missing.

    Raises:
        CorpusError: a cell that is not a count, or a column that is not an emotion.
    """
    path = root / "crema_d" / "voice_votes.csv"
    if not path.is_file():
        return None
    try:
        header, *rows = csv.reader(path.read_text().splitlines())
        votes = np.zeros((len(rows), len(EMOTIONS)))
        votes[:, [EMOTIONS.index(emotion) for emotion in header[1:]]] = [row[1:] for row in rows]
    except ValueError as error:
        raise CorpusError(f"{path.name} is not a table of vote counts by emotion ({error}).") from None
    voted = votes.sum(1) > 0
    names = [f"crema_d/{row[0]}" for row, used in zip(rows, voted, strict=True) if used]
    return dict(zip(names, votes[voted] / votes[voted].sum(1, keepdims=True), strict=True))
