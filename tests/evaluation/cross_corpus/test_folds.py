"""Scores of folds: their means, and how far a left-out corpus is from the training clips."""

import numpy as np
import pytest

from ser_core.evaluation.cross_corpus import folds
from ser_core.evaluation.cross_corpus.folds import auroc_unlike_training, mean_reports, reports_by_corpus
from ser_core.models.ood import fit_neighbour_reference
from ser_core.training.config import TrainingExample


def test_a_corpus_far_from_the_training_clips_is_unlike_them():
    rng = np.random.default_rng(0)
    clips = [TrainingExample(str(i), "ab"[i % 2], "happy", f"{'ab'[i % 2]}-{i // 2 % 3}") for i in range(240)]
    known = rng.normal(size=(240, 10)).astype(np.float32)
    detector = fit_neighbour_reference(known, np.array([clip.corpus for clip in clips]))
    alike, far = known + 0.01, known + 5
    assert auroc_unlike_training(detector, known, clips, far) == 1
    assert auroc_unlike_training(detector, known, clips, alike) < 0.6


def test_means_over_folds_are_by_corpus_and_clips_are_summed():
    folds = {
        "0": {"tess": {"uar": 0.5, "n_clips": 10, "enrolled": {"10": {"uar": 0.6}}}},
        "1": {"tess": {"uar": 0.7, "n_clips": 30, "enrolled": {"10": {"uar": 0.8}}}, "savee": {"uar": 1.0}},
    }
    found = mean_reports(folds)
    assert found["tess"]["uar"] == pytest.approx(0.6) and found["tess"]["n_clips"] == 40
    assert found["tess"]["enrolled"] == {"10": {"uar": pytest.approx(0.7)}} and found["savee"] == {"uar": 1.0}


def test_a_corpus_with_one_of_the_scored_emotions_offers_no_choice(monkeypatch):
    monkeypatch.setattr(folds, "corpus_report", lambda model, embeddings, clips, scored: (len(embeddings), scored))
    emotions = {"tess": ("happy", "sad", "fear"), "savee": ("happy", "fear")}
    clips = [TrainingExample(e, corpus, e, "one") for corpus, found in emotions.items() for e in found]
    assert reports_by_corpus(None, np.zeros((5, 2)), clips, ("happy", "sad")) == {"tess": (3, ("happy", "sad"))}
    assert reports_by_corpus(None, np.zeros((5, 2)), clips).keys() == {"tess", "savee"}
