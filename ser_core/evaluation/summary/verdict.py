"""What a model is worth in a few figures: unseen speakers, left-out corpora, listeners, chance."""

import json
from dataclasses import dataclass

import numpy as np

from ser_core import paths
from ser_core.data import (
    LEAVE_ONE_CORPUS_OUT,
    LEFT_OUT,
    SPEAKER_INDEPENDENT,
    SPEAKER_INDEPENDENT_8,
    SPEAKER_OVERLAP,
    is_speech,
    protocol_folds,
    split_name,
)
from ser_core.evaluation.comparison.published import published_table
from ser_core.evaluation.results import load_result, result_path
from ser_core.labels import EMOTIONS
from ser_core.models import CheckpointError, read_metrics

LISTENER_CORPUS = "crema_d"  # whose listeners' votes are in assets/results/listeners.json


@dataclass(frozen=True)
class Verdict:
    """UAR of a model by corpus, in [0, 1]; dicts are empty where nothing was measured."""

    model: str
    unseen: dict[str, float]  # speakers that are not in its training part
    left_out: dict[str, float]  # corpora left out of training, by models of the same recipe
    listeners: dict[str, float]  # people who hear the voice alone
    all_folds: bool = False  # unseen: every speaker, tested by models of the same recipe; else the speakers of one fold

    @property
    def chance(self) -> float:
        """UAR of guessing: every class is possible on every corpus."""
        return 1 / len(EMOTIONS)

    @property
    def mean_unseen(self) -> float | None:
        return _mean(self.unseen)

    @property
    def mean_left_out(self) -> float | None:
        return _mean(self.left_out)


def read_verdict(model: str) -> Verdict:
    """The verdict on a model, from its metrics and the files in assets/results.

    Raises:
        ResultError: a result file that is damaged or out of date.
    """
    unseen, all_folds = _unseen(model)
    return Verdict(model, unseen, _recorded(LEFT_OUT, model) or _left_out_folds(model), listener_uars(), all_folds)


def listener_uars() -> dict[str, float]:
    """Corpus -> UAR of one listener of the voice alone: measured from votes where there are some, else as published."""
    rows = (published_table(SPEAKER_INDEPENDENT) or {}).get("rows", {})
    published = dict(rows.get("listeners", {}).get("uar", {}))
    try:
        measured = json.loads((paths.RESULTS / "listeners.json").read_text())["single_listener"]
    except (OSError, ValueError, KeyError):
        return published
    return published | {LISTENER_CORPUS: measured}


def _unseen(model: str) -> tuple[dict[str, float], bool]:
    """UAR of each corpus, and whether it is of all folds: a fold has one or two speakers of most corpora."""
    try:
        metrics = read_metrics(model)
    except CheckpointError:
        return {}, False
    if not metrics or metrics.get("protocol") in SPEAKER_OVERLAP:
        return {}, False
    if metrics.get("protocol") == SPEAKER_INDEPENDENT_8 and (found := _recorded(SPEAKER_INDEPENDENT_8, model)):
        return found, True
    return _speech_uars(metrics["corpora"]), False


def _recorded(protocol: str, model: str) -> dict[str, float]:
    """Means over the folds of a protocol, from the file of its scores; empty without one."""
    try:
        return _speech_uars(json.loads((paths.RESULTS / f"{protocol}-{model}.json").read_text())["corpora"])
    except (OSError, ValueError, KeyError):
        return {}


def _left_out_folds(model: str) -> dict[str, float]:
    """From the result files of the protocol that leaves one corpus out."""
    found: dict[str, float] = {}
    for fold in protocol_folds(LEAVE_ONE_CORPUS_OUT):
        path = result_path(split_name(LEAVE_ONE_CORPUS_OUT, fold), model)
        if path.is_file():
            found |= _speech_uars(load_result(path).metrics["corpora"])
    return found


def _speech_uars(corpora: dict[str, dict]) -> dict[str, float]:
    return {corpus: scores["uar"] for corpus, scores in corpora.items() if is_speech(corpus)}


def _mean(values: dict[str, float]) -> float | None:
    return float(np.mean(list(values.values()))) if values else None
