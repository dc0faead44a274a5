"""Scores of the folds of a protocol, corpus by corpus, and their means."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch

from ser_core.evaluation.cross_corpus.calibration import unseen_speaker_distances
from ser_core.evaluation.cross_corpus.expectation import ENROLLED_CLIPS
from ser_core.evaluation.cross_corpus.report import corpus_report
from ser_core.evaluation.cross_corpus.subsets import ALONE, AheadCounts, count_ahead
from ser_core.labels import EMOTIONS
from ser_core.metrics import auroc
from ser_core.models import NoveltyDetector, SERModel, enrolled_logits
from ser_core.training import TrainingExample


def reports_by_corpus(
    model: SERModel, embeddings: np.ndarray, clips: Sequence[TrainingExample], scored: Collection[str] = EMOTIONS
) -> dict[str, dict]:
    """Scores of clips of several corpora, see corpus_report; of those that have two of the scored emotions or more."""
    corpora, found = np.array([clip.corpus for clip in clips]), {}
    for corpus in np.unique(corpora):
        own = [clip for clip in clips if clip.corpus == corpus]
        if len({clip.emotion for clip in own} & {*scored}) >= 2:
            found[str(corpus)] = corpus_report(model, embeddings[corpora == corpus], own, scored)
    return found


@torch.inference_mode()
def counts_by_corpus(
    model: SERModel, embeddings: np.ndarray, clips: Sequence[TrainingExample]
) -> dict[str, dict[str, AheadCounts]]:
    """Counts for any choice of emotions, by corpus: of clips alone, and with ten other clips of their speaker.

    Arguments as corpus_report, with clips of several corpora.
    """
    corpora, speakers, emotions = (
        np.array([getattr(c, name) for c in clips]) for name in ("corpus", "speaker", "emotion")
    )
    found = {}
    for corpus in np.unique(corpora):
        own = corpora == corpus
        alone = model.classify(torch.from_numpy(embeddings[own])).numpy()
        enrolled, _ = enrolled_logits(model, embeddings[own], speakers[own], int(ENROLLED_CLIPS))
        by_reference = {ALONE: alone, ENROLLED_CLIPS: enrolled}
        found[str(corpus)] = {name: count_ahead(logits, emotions[own]) for name, logits in by_reference.items()}
    return found


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
