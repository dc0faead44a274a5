"""Scores of the folds of a protocol, corpus by corpus, and their means."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from ser_core.evaluation.cross_corpus.calibration import unseen_speaker_distances
from ser_core.evaluation.cross_corpus.report import corpus_report
from ser_core.metrics import auroc
from ser_core.models import NoveltyDetector, SERModel
from ser_core.training import TrainingExample


def reports_by_corpus(model: SERModel, embeddings: np.ndarray, clips: Sequence[TrainingExample]) -> dict[str, dict]:
    """Scores of clips of several corpora, see corpus_report."""
    corpora = np.array([clip.corpus for clip in clips])
    return {
        str(corpus): corpus_report(model, embeddings[corpora == corpus], [c for c in clips if c.corpus == corpus])
        for corpus in np.unique(corpora)
    }


def auroc_unlike_training(
    detector: NoveltyDetector, known: np.ndarray, known_clips: Sequence[TrainingExample], left_out: np.ndarray
) -> float:
    """Area under the ROC curve of the distance: clips of a left-out corpus against unseen speakers of known ones.

    Args:
        known: embeddings of the training clips, shape = (n_known, embedding_dim).
        left_out: embeddings of the clips of the left-out corpus, shape = (n, embedding_dim).
    """
    distances = unseen_speaker_distances(detector, known, known_clips)
    return round(auroc(distances, detector.distance(left_out)), 4)


def mean_reports(folds: Mapping[str, Mapping[str, dict]]) -> dict[str, dict]:
    """Mean over the folds of every number, by corpus."""
    by_corpus = defaultdict(list)
    for reports in folds.values():
        for corpus, report in reports.items():
            by_corpus[corpus].append(report)
    return {corpus: mean_report(reports) for corpus, reports in by_corpus.items()}


def mean_report(reports: Sequence[dict]) -> dict:
    """Means of equal keys, through nested dicts; clips and speakers are summed."""
    found: dict = {}
    for key, value in reports[0].items():
        values = [report[key] for report in reports if key in report]
        if isinstance(value, dict):
            found[key] = mean_report(values)
        else:
            found[key] = sum(values) if key.startswith("n_") else round(float(np.mean(values)), 4)
    return found
