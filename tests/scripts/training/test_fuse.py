"""The calibration of a fold learns from no clip of its own test speakers."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from scripts import fuse
from ser_core import paths
from ser_core.training import TrainingExample

LABELS = ("happy", "sad")
MODEL = SimpleNamespace(config=SimpleNamespace(labels=LABELS), novelty=None, classify=torch.Tensor.double)


def clips_of(*speakers: str, corpus: str = "savee") -> tuple:
    """A clip of each speaker, whose logits name it: the second one is its number."""
    clips = [TrainingExample(f"{corpus}/{speaker}", corpus, "sad", speaker) for speaker in speakers]
    return MODEL, clips, np.array([[0, float(speaker)] for speaker in speakers], np.float32)


@pytest.fixture
def calibrated(monkeypatch, tmp_path):
    """Folder of each fold -> numbers of the speakers on left-out corpora, and of those unseen, in its calibration."""
    found = {}
    monkeypatch.setattr(paths, "CHECKPOINTS", tmp_path)
    monkeypatch.setattr(fuse, "fit_cross_corpus_calibration", lambda *parts: [set(part.logits[:, 1]) for part in parts])
    monkeypatch.setattr(fuse, "save_model", lambda model, folder, kind, parts, training: found.update({folder: parts}))
    return found


def test_no_test_speaker_of_a_fold_is_in_its_calibration(calibrated, tmp_path):
    left_out = {"savee": clips_of("1", "2", "3"), "tess": clips_of("11", corpus="tess")}
    fuse.save_folds(left_out, {"0": clips_of("1"), "1": clips_of("2", "3"), "2": clips_of("4")})
    assert calibrated == {
        tmp_path / "whisper-prosonet": [{2, 3, 11}, {2, 3, 4}],
        tmp_path / "folds" / "whisper-prosonet-1": [{1, 11}, {1, 4}],
        tmp_path / "folds" / "whisper-prosonet-2": [{1, 2, 3, 11}, {1, 2, 3}],
    }
