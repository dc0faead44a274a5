"""One recipe under all folds of a protocol: every speaker is tested once, by the model that has never heard them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ser_core.evaluation import Answers, certainty, measure
from ser_core.metrics import Scores
from ser_core.protocols import folds
from ser_core.results import Result, list_results, load_result, split_name

MEASURES = ("uar", "macro_f1", "accuracy")


@dataclass(frozen=True)
class Spread:
    """One measure over the folds that test a corpus; in [0, 1]."""

    mean: float
    lowest: float
    highest: float
    n_folds: int


@dataclass(frozen=True, eq=False)
class AllFolds:
    """A model under the folds that were measured."""

    model: str
    protocol: str
    measured: tuple[str, ...]  # folds
    missing: tuple[str, ...]
    corpora: dict[str, dict[str, Spread]]  # corpus -> measure -> over folds
    common_accuracy_mean: float | None  # six emotions, mean over folds of the mean over corpora
    every_speaker: dict[str, Scores]  # corpus -> all its test clips of all folds together
    pooled: Scores
    ece: float  # of all speech clips together, each by the temperature of its fold
    coverage: float  # share of speech clips that were answered
    accuracy_when_answered: float


def all_folds(results: Sequence[Result]) -> AllFolds:
    """Joins the results of one model.

    Args:
        results: one for each measured fold of a protocol.

    Raises:
        ValueError: none, of several models or protocols, or a fold twice.
    """
    if not results or len({(r.model, r.protocol) for r in results}) > 1:
        raise ValueError("All folds of one model under one protocol are wanted.")
    measured = tuple(str(r.fold) for r in results)
    if len(set(measured)) < len(measured):
        raise ValueError(f"A fold twice: {', '.join(measured)}.")
    metrics = [r.metrics for r in results]
    joined = join([r.answers for r in results])
    together = measure(joined)
    common = [m["common_accuracy_mean"] for m in metrics if m["common_accuracy_mean"] is not None]
    speech = joined.where(lambda u: u.corpus in together.pooled_corpora)
    return AllFolds(
        model=results[0].model,
        protocol=results[0].protocol,
        measured=measured,
        missing=tuple(fold for fold in folds(results[0].protocol) if fold not in measured),
        corpora={c: _spreads([m["corpora"][c] for m in metrics if c in m["corpora"]]) for c in together.corpora},
        common_accuracy_mean=float(np.mean(common)) if common else None,
        every_speaker=together.corpora,
        pooled=together.pooled,
        ece=certainty(speech.probabilities, speech.y_true).ece,
        coverage=together.coverage,
        accuracy_when_answered=together.accuracy_when_answered,
    )


def join(answers: Sequence[Answers]) -> Answers:
    """The answers of several models to clips of their own as if of one."""
    return replace(
        answers[0],
        utterances=tuple(u for part in answers for u in part.utterances),
        probabilities=np.concatenate([part.probabilities for part in answers]),
        abstained=np.concatenate([part.abstained for part in answers]),
    )


def read_all_folds(protocol: str, folder: Path | None = None) -> dict[str, AllFolds]:
    """Every model that was measured under more than one fold, by name. Errors as in load_result."""
    found: dict[str, list[Result]] = {}
    for fold in folds(protocol):
        for path in list_results(split_name(protocol, fold), folder):
            found.setdefault(path.stem, []).append(load_result(path))
    honest = {model: [r for r in results if not r.leak] for model, results in found.items()}
    return {model: all_folds(results) for model, results in honest.items() if len(results) > 1}


def _spreads(scores: Sequence[dict]) -> dict[str, Spread]:
    values = {measure: [s[measure] for s in scores] for measure in MEASURES}
    return {name: Spread(float(np.mean(v)), min(v), max(v), len(v)) for name, v in values.items()}
