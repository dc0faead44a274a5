"""Fitting of the scikit-learn classifiers: openSMILE functionals, cached for all of them, and a small parameter grid.

There is no augmentation: the classifiers are fitted on the functionals of the windows of each unmodified clip.
"""

from collections.abc import Callable, Sequence
from operator import itemgetter
from pathlib import Path

import numpy as np
import torch

from ser_core import paths
from ser_core.audio import WINDOW_OVERLAP, window_starts
from ser_core.data import AudioStore, is_speech
from ser_core.metrics import confusion_matrix, uar
from ser_core.models import (
    EGEMAPS_LEVEL_QUANTILE,
    EGEMAPS_TARGET_LEVEL,
    EgemapsClassifier,
    check_egemaps_installed,
    egemaps_functionals,
)
from ser_core.training.config import TrainingError, TrainingExample, check_emotions

CLIPS_PER_CHUNK = 500  # an interruption costs at most these

PARAMETER_GRIDS: dict[str, tuple[dict, ...]] = {
    "svm": tuple({"C": c, "gamma": gamma} for c in (3.0, 1.0, 10.0) for gamma in (0.01, 0.005, 0.02)),
    "forest": tuple({"n_estimators": 200, "min_samples_leaf": leaf} for leaf in (2, 1, 4)),
    "tree": tuple({"max_depth": depth, "min_samples_leaf": leaf} for depth in (12, 8, 16) for leaf in (10, 5, 20)),
}
"""Classifier -> parameters to try; the first are used where a protocol has no development speakers."""


def _check_trainable(model: EgemapsClassifier, train: Sequence[TrainingExample]) -> None:
    if not train:
        raise TrainingError("No clip to train on: the protocol's training part and the cache do not overlap.")
    check_emotions(train)
    try:
        check_egemaps_installed()
    except ImportError as error:
        raise TrainingError(f"The {model.config.classifier} on eGeMAPS {error}") from None


def fit_classifier(
    model: EgemapsClassifier,
    train: Sequence[TrainingExample],
    dev: Sequence[TrainingExample],
    store: AudioStore,
    path: Path,
    seed: int = 0,
    progress: Callable[[int], None] = lambda n_done: None,
) -> dict:
    """Fits a classifier with each set of parameters and keeps the one with the highest UAR on development speech.

    Args:
        model: fitted in place, on the training clips only.
        dev: clips that select the parameters.
        path: cache of the functionals, see cached_functionals.
        progress: called with the number of clips whose functionals are available.

    Returns:
        The recipe, JSON-serialisable: seed, chosen parameters, and the UAR of all that were tried.

    Raises:
        TrainingError: too few clips or classes, or a missing package; the message explains how to install it.
    """
    _check_trainable(model, train)
    window = round(model.config.window_s * model.sample_rate)
    known = cached_functionals([clip.id for clip in (*train, *dev)], window, store, path, progress)
    features = np.concatenate([known[clip.id] for clip in train])
    emotions = np.repeat([clip.emotion for clip in train], [len(known[clip.id]) for clip in train])
    dev_speech = [clip for clip in dev if is_speech(clip.corpus)]
    tried: list[dict] = []
    fits: list[tuple[float, dict, object]] = []
    for settings in PARAMETER_GRIDS[model.config.classifier][: None if dev_speech else 1]:
        model.fit(features, emotions, seed, **settings)
        tried.append(settings | ({"dev_uar": _dev_uar(model, dev_speech, known)} if dev_speech else {}))
        fits.append((tried[-1].get("dev_uar", 0.0), settings, model.pipeline))
    _, chosen, model.pipeline = max(fits, key=itemgetter(0))
    return {"seed": seed, "augmented": False, "chosen": chosen, "tried": tried}


def _dev_uar(model: EgemapsClassifier, clips: Sequence[TrainingExample], known: dict[str, np.ndarray]) -> float:
    """UAR with the prediction of each clip from the mean logits of its windows, as in inference."""
    labels = model.config.labels
    logits = model.classify(model.encode(torch.from_numpy(np.concatenate([known[clip.id] for clip in clips])))).numpy()
    ends = np.cumsum([len(known[clip.id]) for clip in clips])
    y_pred = np.stack([rows.mean(0) for rows in np.split(logits, ends[:-1])]).argmax(1)
    y_true = np.array([labels.index(clip.emotion) for clip in clips])
    return round(float(uar(confusion_matrix(y_true, y_pred, len(labels)))), 4)


def cached_functionals(
    ids: Sequence[str],
    window: int,
    store: AudioStore,
    path: Path,
    progress: Callable[[int], None] = lambda n_done: None,
) -> dict[str, np.ndarray]:
    """Functionals of the windows of trimmed clips, cut as in inference.

    Args:
        window: length in samples; most clips are shorter than one window.
        path: .npz file of the cache; missing functionals are extracted and added.
        progress: called with the number of clips that are available.

    Returns:
        utterance id -> shape = (n_windows, 88).
    """
    settings = f"window {window} level {EGEMAPS_TARGET_LEVEL} at {EGEMAPS_LEVEL_QUANTILE}"
    known = _read_functionals(path, settings)
    missing = [i for i in ids if i not in known]
    progress(len(ids) - len(missing))
    for first in range(0, len(missing), CLIPS_PER_CHUNK):
        chunk = missing[first : first + CLIPS_PER_CHUNK]
        known |= {i: _window_functionals(store.trimmed(i), window) for i in chunk}
        _write_functionals(path, settings, known)
        progress(len(ids) - len(missing) + first + len(chunk))
    return {i: known[i] for i in ids}


def _window_functionals(waveform: np.ndarray, window: int) -> np.ndarray:
    starts = window_starts(len(waveform), window, round(window * (1 - WINDOW_OVERLAP)))
    return np.stack([egemaps_functionals(waveform[start : start + window]) for start in starts])


def _read_functionals(path: Path, settings: str) -> dict[str, np.ndarray]:
    if not path.is_file():
        return {}
    with np.load(path) as file:
        if str(file["settings"]) != settings:
            return {}
        parts = np.split(file["functionals"], np.cumsum(file["n_windows"])[:-1])
        found = zip(file["utterances"].tolist(), parts, strict=True)
        return {name: rows for name, rows in found if np.isfinite(rows).all()}  # earlier versions kept NaN at Ctrl-C


def _write_functionals(path: Path, settings: str, known: dict[str, np.ndarray]) -> None:
    with paths.atomic_file(path, "wb") as file:
        np.savez(
            file,
            settings=settings,
            utterances=np.array(list(known)),
            n_windows=[len(rows) for rows in known.values()],
            functionals=np.concatenate(list(known.values())),
        )
