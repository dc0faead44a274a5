"""Effect of training on test clips: the leaked model, its valid twin and the published one."""

from dataclasses import dataclass

import numpy as np

from ser_core.data import protocol_split
from ser_core.evaluation.results import EvaluationResult

LEAK_SUFFIX = "-leak"  # of the name of a model that was trained on test clips; its valid twin is named without


@dataclass(frozen=True)
class LeakageGroup:
    """Test clips that had the same role in the training of the leaked model."""

    n_clips: int
    share: float  # of the test clips of this corpus
    accuracy: float | None  # of the leaked model; None without clips
    twin_accuracy: float | None  # of its valid twin, which was trained on none of them


@dataclass(frozen=True)
class LeakagePart:
    """Scores on one corpus or all: the leaked model, its valid twin and the published one. Values in [0, 1]."""

    n_clips: int
    leaked: dict[str, float]  # accuracy, macro_f1, uar
    twin: dict[str, float] | None  # its valid twin
    published: dict[str, float] | None
    groups: dict[str, LeakageGroup]  # "training", "development", "unseen"


@dataclass(frozen=True)
class LeakageReport:
    """Effect of training on test clips."""

    model: str
    trained_on: dict  # {"protocol", "fold"}
    parts: dict[str, LeakagePart]  # by corpus, and "pooled"


def leakage_report(
    leaked: EvaluationResult, twins: dict[str, EvaluationResult], rows: dict[str, dict]
) -> LeakageReport:
    name = leaked.model.removesuffix(LEAK_SUFFIX)
    twin, row = twins.get(name), rows.get(name, rows.get(leaked.family, {}))
    corpora = leaked.metrics["corpora"]
    published = {c: {"accuracy": value} for c, value in row.get("corpora", {}).items()}
    published["pooled"] = {measure: row[measure] for measure in ("accuracy", "macro_f1") if measure in row}
    parts = {c: _leakage_part(leaked, twin, c, published.get(c)) for c in (*corpora, "pooled")}
    return LeakageReport(leaked.model, leaked.trained_on, parts)


def _leakage_part(
    leaked: EvaluationResult, twin: EvaluationResult | None, part: str, published: dict | None
) -> LeakagePart:
    corpora = leaked.metrics["pooled_corpora"] if part == "pooled" else (part,)
    rows = np.isin(leaked.predictions.corpora, corpora)
    right, twin_right = leaked.predictions.correct, twin.predictions.correct if twin else None
    return LeakagePart(
        n_clips=int(rows.sum()),
        leaked=_leakage_scores(leaked, part),
        twin=_leakage_scores(twin, part) if twin else None,
        published=published or None,
        groups={
            name: _leakage_group(rows & own, rows, right, twin_right)
            for name, own in _training_exposure(leaked).items()
        },
    )


def _leakage_scores(result: EvaluationResult, part: str) -> dict[str, float]:
    scores = result.metrics["pooled"] if part == "pooled" else result.metrics["corpora"][part]
    return {measure: scores[measure] for measure in ("accuracy", "macro_f1", "uar")}


def _training_exposure(leaked: EvaluationResult) -> dict[str, np.ndarray]:
    """Role of each test clip in the training: "training", "development" or "unseen", bool, shape = (n_clips,)."""
    known = protocol_split(leaked.trained_on["protocol"], leaked.trained_on["fold"])
    ids = [u.id for u in leaked.predictions.utterances]
    trained, development = (np.isin(ids, part) for part in (known.train, known.dev))
    return {"training": trained, "development": development, "unseen": ~(trained | development)}


def _leakage_group(
    rows: np.ndarray, corpus: np.ndarray, right: np.ndarray, twin_right: np.ndarray | None
) -> LeakageGroup:
    n_clips = int(rows.sum())
    return LeakageGroup(
        n_clips=n_clips,
        share=n_clips / int(corpus.sum()),
        accuracy=float(right[rows].mean()) if n_clips else None,
        twin_accuracy=float(twin_right[rows].mean()) if n_clips and twin_right is not None else None,
    )
