"""Comparison of models on the same clips: ranking, pairwise tests, and differences to published figures.

A model that was trained on some of the test clips is not ranked; it gets a leakage report instead.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

from ser_core.data import CORPUS_NAMES, SPEAKER_OVERLAP
from ser_core.evaluation.comparison.leakage import LeakageReport, leakage_report
from ser_core.evaluation.comparison.pairs import PairwiseTest, pairwise_tests
from ser_core.evaluation.comparison.ranking import RankedModel, ranked_model
from ser_core.evaluation.cross_validation import mean_over_corpora, ranking_key
from ser_core.evaluation.results import EvaluationResult
from ser_core.evaluation.scoring.predictions import PredictionTable
from ser_core.metrics import round_floats


class ComparisonError(ValueError):
    """Results that cannot be compared; the message names the file and the cure."""


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
    valid = [result for result in results if not result.leak]
    if not valid:
        raise ComparisonError(f"{results[0].split}: all results are of models that were trained on test clips.")
    ranked = sorted(
        valid, key=lambda r: ranking_key(left_out.get(r.model), mean_over_corpora(r.metrics, "uar"), r.model)
    )
    first, twins = ranked[0], {result.model: result for result in valid}
    return Comparison(
        split=first.split,
        note=SPEAKER_OVERLAP.get(first.protocol, ""),
        labels=first.predictions.labels,
        pooled_corpora=tuple(first.metrics["pooled_corpora"]),
        n_clips=first.metrics["pooled"]["n_clips"],
        n_speakers=first.metrics["pooled"]["n_speakers"],
        ranking=tuple(ranked_model(result, rows.get(result.model), left_out.get(result.model)) for result in ranked),
        pairs=pairwise_tests(ranked),
        leaks=tuple(leakage_report(result, twins, rows) for result in results if result.leak),
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
