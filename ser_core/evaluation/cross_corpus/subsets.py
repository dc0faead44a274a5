"""How often a choice among some of the emotions is right: for any of them, from one count of clips.

Among some emotions a model is right exactly if none of the others that it prefers to the true one is among them.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from ser_core import paths
from ser_core.labels import EMOTIONS

ALONE = "alone"  # the key of counts of clips without a reference
AheadCounts = dict[str, dict[str, int]]
"""Emotion -> the emotions ahead of it, as their indices in EMOTIONS ("" for none, "04" for neutral and angry) -> number
of its clips."""


def count_ahead(logits: np.ndarray, emotions: Sequence[str] | np.ndarray) -> AheadCounts:
    """Counts of clips by their emotion and the emotions with a larger logit.

    Args:
        logits: shape = (n_clips, n_classes), in the order of EMOTIONS; of equal ones the first is ahead, as in argmax.
        emotions: of the clips.
    """
    rankings = np.argsort(-logits, axis=1, kind="stable").tolist()
    counts: dict[str, Counter] = {emotion: Counter() for emotion in EMOTIONS if emotion in emotions}
    for ranking, emotion in zip(rankings, emotions, strict=True):
        ahead = ranking[: ranking.index(EMOTIONS.index(emotion))]
        counts[emotion]["".join(map(str, sorted(ahead)))] += 1
    return {emotion: dict(sorted(found.items())) for emotion, found in counts.items()}


def sum_counts(parts: Sequence[dict]) -> dict:
    """Sums of equal keys, through nested dicts: the counts of a protocol from those of its folds."""
    found: dict = {}
    for key in dict.fromkeys(key for part in parts for key in part):
        values = [part[key] for part in parts if key in part]
        found[key] = sum_counts(values) if isinstance(values[0], dict) else sum(values)
    return found


def subset_scores(
    corpora: Mapping[str, AheadCounts], emotions: Collection[str], possible: Collection[str] = ()
) -> dict[str, float]:
    """Scores in [0, 1] on the clips of some emotions, as means over the corpora that have clips of two of them or more.

    Args:
        corpora: counts of each.
        emotions: whose clips are scored.
        possible: among which the model chooses; default: the same.

    Returns:
        `accuracy` and `uar`; empty without such a corpus.
    """
    scored = [{e: counts[e] for e in emotions if e in counts} for counts in corpora.values()]
    found = [_corpus_scores(counts, possible or emotions) for counts in scored if len(counts) >= 2]
    return {name: float(np.mean([scores[name] for scores in found])) for name in found[0]} if found else {}


def _corpus_scores(counts: AheadCounts, possible: Collection[str]) -> dict[str, float]:
    indices = {str(EMOTIONS.index(emotion)) for emotion in possible}
    n_right = [sum(n for ahead, n in found.items() if indices.isdisjoint(ahead)) for found in counts.values()]
    n_clips = [sum(found.values()) for found in counts.values()]
    recalls = [right / n for right, n in zip(n_right, n_clips, strict=True)]
    return {"accuracy": sum(n_right) / sum(n_clips), "uar": float(np.mean(recalls))}


def counts_path(model: str) -> Path:
    """Where the counts of a model are recorded."""
    return paths.RESULTS / f"possible-emotions-{model}.json"


def read_counts(model: str, protocol: str, reference: str) -> dict[str, AheadCounts]:
    """Recorded counts of a model by corpus; empty if it was not measured.

    Args:
        reference: ALONE, or ENROLLED_CLIPS.
    """
    path = counts_path(model)
    try:
        corpora = _read(path, path.stat().st_mtime_ns)[protocol]
        return {corpus: references[reference] for corpus, references in corpora.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


@lru_cache(maxsize=8)
def _read(path: Path, changed_ns: int) -> dict[str, dict]:
    return dict(json.loads(path.read_text())["protocols"])
