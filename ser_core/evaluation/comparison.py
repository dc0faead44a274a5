"""Comparison of models on the same clips: ranking, pairwise tests, and differences to published figures.

A model that was trained on some of the test clips is not ranked; it gets a leakage report instead.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np

from ser_core import paths
from ser_core.data import CORPUS_NAMES, SPEAKER_OVERLAP, protocol_split
from ser_core.evaluation.cross_validation import FOLD_METRICS, mean_over_corpora, ranking_key
from ser_core.evaluation.evaluator import PredictionTable, calibration_metrics
from ser_core.evaluation.results import EvaluationResult, is_shipped
from ser_core.metrics import holm, mcnemar, round_floats

LEAK_SUFFIX = "-leak"  # of the name of a model that was trained on test clips; its valid twin is named without
SIGNIFICANCE_LEVEL = 0.05
SUMMARY_METRICS = ("accuracy", "macro_f1", "weighted_f1", "macro_precision", "macro_recall")


class ComparisonError(ValueError):
    """Results that cannot be compared; the message names the file and the cure."""


@dataclass(frozen=True)
class RankedModel:
    """One model of a ranking; every value in [0, 1]."""

    model: str
    family: str
    left_out: float | None  # UAR averaged over left-out corpora, of the same recipe; None: not evaluated on all
    means: dict[str, float]  # uar, macro_f1 and accuracy, averaged over the corpora of the test part
    shipped: bool  # the weights are part of the repository
    pooled: dict  # metrics.Scores, as the result file holds it
    corpora: dict[str, dict]  # the same for each corpus
    per_class: dict[str, dict]  # emotion -> metrics.ClassScores, pooled
    confusion: list[list[int]]  # pooled, rows true, columns predicted, in label order
    ece: float  # mean over the corpora
    nll: float  # nats
    aurc: float  # area under the risk-coverage curve
    cost: dict
    published: dict | None  # the published row; None without one
    difference: dict | None  # ours minus published: accuracy, ..., corpora
    reached: bool | None  # whether every published pooled figure was reached; None without one


@dataclass(frozen=True)
class PairwiseTest:
    """McNemar's exact test of two models; the first one ranks higher."""

    first: str
    second: str
    n_only_first: int  # clips that only the first one predicts correctly
    n_only_second: int
    p_value: float
    p_holm: float  # corrected for the number of pairs

    @property
    def significant(self) -> bool:
        return self.p_holm < SIGNIFICANCE_LEVEL


@dataclass(frozen=True)
class LeakageGroup:
    """Test clips that had the same role in the training of the leaked model."""

    n_clips: int
    share: float  # of the test clips of this corpus
    accuracy: float | None  # of the leaked model; None without clips
    honest_accuracy: float | None  # of its valid twin, which was trained on none of them


@dataclass(frozen=True)
class LeakagePart:
    """Scores on one corpus or all: the leaked model, its valid twin and the published one. Values in [0, 1]."""

    n_clips: int
    leaked: dict[str, float]  # accuracy, macro_f1, uar
    honest: dict[str, float] | None
    published: dict[str, float] | None
    groups: dict[str, LeakageGroup]  # "trained", "development", "unheard"


@dataclass(frozen=True)
class LeakageReport:
    """Effect of training on test clips."""

    model: str
    trained_on: dict  # {"protocol", "fold"}
    parts: dict[str, LeakagePart]  # by corpus, and "pooled"


@dataclass(frozen=True)
class Comparison:
    """Comparison of all models evaluated on one test part."""

    split: str
    note: str  # caveat of the split, "" without one
    labels: tuple[str, ...]
    pooled_corpora: tuple[str, ...]
    n_clips: int  # pooled
    n_speakers: int
    ranking: tuple[RankedModel, ...]  # by ranking_key, the best one first
    pairs: tuple[PairwiseTest, ...]
    leaks: tuple[LeakageReport, ...]

    @property
    def about(self) -> str:
        """Sentence on the clips, and a second one where speakers are shared."""
        corpora = ", ".join(CORPUS_NAMES[name] for name in self.pooled_corpora)
        shared = f" This protocol {self.note} between training and test." if self.note else ""
        return f"{self.n_clips} clips of {self.n_speakers} speakers: {corpora}.{shared}"

    def to_dict(self) -> dict:
        """JSON-serialisable, floats with 4 significant digits."""
        return round_floats(asdict(self), lambda number: float(f"{number:.4g}"))  # p-values are small


def published_table(split_name: str, path: Path | None = None) -> dict | None:
    """The published table of a test part: title, source, note and rows by model, values in [0, 1]; None without one."""
    table = json.loads((path or paths.PUBLISHED_TABLES).read_text()).get(split_name)
    return table and table | {"rows": {model: _percent_to_fraction(row) for model, row in table["rows"].items()}}


def _percent_to_fraction(percents):
    """Every number of a published row divided by 100."""
    if isinstance(percents, dict):
        return {name: _percent_to_fraction(value) for name, value in percents.items()}
    if isinstance(percents, list):
        return [_percent_to_fraction(value) for value in percents]
    return percents if isinstance(percents, str) else round(percents / 100, 4)


def compare_results(
    results: Sequence[EvaluationResult], published: dict | None = None, left_out: Mapping[str, float] | None = None
) -> Comparison:
    """Ranks the results of one test part and tests every pair, Holm-corrected.

    Args:
        published: result of published_table.
        left_out: result of left_out_uars; None: no model has such a result.

    Raises:
        ComparisonError: results of several test parts, of other clips or classes, or none that may be ranked.
    """
    results, left_out = _align_results(results), left_out or {}
    rows = (published or {}).get("rows", {})
    honest = [result for result in results if not result.leak]
    if not honest:
        raise ComparisonError(f"{results[0].split}: all results are of models that were trained on test clips.")
    ranked = sorted(
        honest, key=lambda r: ranking_key(left_out.get(r.model), mean_over_corpora(r.metrics, "uar"), r.model)
    )
    pooled = ranked[0].metrics["pooled"]
    twins = {result.model: result for result in honest}
    return Comparison(
        split=ranked[0].split,
        note=SPEAKER_OVERLAP.get(ranked[0].protocol, ""),
        labels=ranked[0].predictions.labels,
        pooled_corpora=tuple(ranked[0].metrics["pooled_corpora"]),
        n_clips=pooled["n_clips"],
        n_speakers=pooled["n_speakers"],
        ranking=tuple(_ranked_model(result, rows.get(result.model), left_out.get(result.model)) for result in ranked),
        pairs=_pairwise_tests(ranked),
        leaks=tuple(_leakage_report(result, twins, rows) for result in results if result.leak),
    )


def _align_results(results: Sequence[EvaluationResult]) -> list[EvaluationResult]:
    """Results with predictions in one order; the clips of the majority are the reference."""
    if not results:
        raise ComparisonError("There is no result to compare. Evaluate a model: python -m scripts.evaluate all --write")
    if len({result.split for result in results}) > 1:
        raise ComparisonError(
            f"Results of several test parts: {', '.join(sorted({result.split for result in results}))}."
        )
    clips = [frozenset(u.id for u in result.predictions.utterances) for result in results]
    (most, _), *_ = sorted(Counter(clips).items(), key=lambda item: (-item[1], -len(item[0])))
    for result, own in zip(results, clips, strict=True):
        if own != most:
            raise ComparisonError(
                f"{result.split}/{result.model}.json has other clips than the rest: {len(most - own)} are missing, "
                f"{len(own - most)} are surplus. Evaluate again: {result.provenance['command']}"
            )
        if result.predictions.labels != results[0].predictions.labels:
            raise ComparisonError(
                f"{result.split}/{result.model}.json predicts other classes: {', '.join(result.predictions.labels)}."
            )
    return [replace(result, predictions=_sort_by_id(result.predictions)) for result in results]


def _sort_by_id(predictions: PredictionTable) -> PredictionTable:
    order = sorted(range(len(predictions.utterances)), key=lambda i: predictions.utterances[i].id)
    return replace(
        predictions,
        utterances=tuple(predictions.utterances[i] for i in order),
        probabilities=predictions.probabilities[order],
        abstained=predictions.abstained[order],
    )


def pooled_predictions(result: EvaluationResult) -> PredictionTable:
    """Predictions on the pooled corpora."""
    return result.predictions.select(lambda u: u.corpus in result.metrics["pooled_corpora"])


def _ranked_model(result: EvaluationResult, row: dict | None, left_out: float | None) -> RankedModel:
    metrics = result.metrics
    certainty = metrics["calibration"]["after"]
    difference = _published_difference(metrics, row) if row else None
    figures = [difference[name] for name in SUMMARY_METRICS if name in difference] if difference else []
    return RankedModel(
        model=result.model,
        family=result.family,
        left_out=left_out,
        means={measure: mean_over_corpora(metrics, measure) for measure in FOLD_METRICS},
        shipped=is_shipped(result),
        pooled=metrics["pooled"],
        corpora=metrics["corpora"],
        per_class=metrics["per_class"]["pooled"],
        confusion=metrics["confusion"]["pooled"],
        ece=_mean_ece(result),
        nll=certainty["nll"],
        aurc=certainty["aurc"],
        cost=result.cost,
        published=row,
        difference=difference,
        reached=min(figures) >= 0 if figures else None,
    )


def _mean_ece(result: EvaluationResult) -> float:
    parts = (result.predictions.of_corpus(corpus) for corpus in result.metrics["pooled_corpora"])
    return float(np.mean([calibration_metrics(part.probabilities, part.y_true).ece for part in parts]))


def _published_difference(metrics: dict, row: dict) -> dict:
    """Ours minus published, for each figure that was published."""
    difference: dict = {name: round(metrics["pooled"][name] - row[name], 4) for name in SUMMARY_METRICS if name in row}
    corpora = {name: accuracy for name, accuracy in row.get("corpora", {}).items() if name in metrics["corpora"]}
    difference["corpora"] = {n: round(metrics["corpora"][n]["accuracy"] - value, 4) for n, value in corpora.items()}
    return difference


def _pairwise_tests(ranked: Sequence[EvaluationResult]) -> tuple[PairwiseTest, ...]:
    right = {result.model: pooled_predictions(result).correct for result in ranked}
    couples = list(combinations(right, 2))
    tests = [mcnemar(right[a], right[b]) for a, b in couples]
    corrected = holm([test.p_value for test in tests])
    return tuple(
        PairwiseTest(a, b, test.n_only_a, test.n_only_b, test.p_value, float(p))
        for (a, b), test, p in zip(couples, tests, corrected, strict=True)
    )


def _leakage_report(
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
        honest=_leakage_scores(twin, part) if twin else None,
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
    """Role of each test clip in the training: "trained", "development" or "unheard", bool, shape = (n_clips,)."""
    known = protocol_split(leaked.trained_on["protocol"], leaked.trained_on["fold"])
    ids = [u.id for u in leaked.predictions.utterances]
    trained, development = (np.isin(ids, part) for part in (known.train, known.dev))
    return {"trained": trained, "development": development, "unheard": ~(trained | development)}


def _leakage_group(
    rows: np.ndarray, corpus: np.ndarray, right: np.ndarray, twin_right: np.ndarray | None
) -> LeakageGroup:
    n_clips = int(rows.sum())
    return LeakageGroup(
        n_clips=n_clips,
        share=n_clips / int(corpus.sum()),
        accuracy=float(right[rows].mean()) if n_clips else None,
        honest_accuracy=float(twin_right[rows].mean()) if n_clips and twin_right is not None else None,
    )
