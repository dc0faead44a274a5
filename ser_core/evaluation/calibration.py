"""Calibration of a trained model on development speakers, and its export as a checkpoint."""

import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy.special import softmax

from ser_core.data import AudioStore, Utterance, is_speech
from ser_core.evaluation.evaluator import predict_utterances
from ser_core.evaluation.scoring.predictions import PredictionTable
from ser_core.inference import clip_windows, run_windows
from ser_core.metrics import fit_temperature
from ser_core.models import Calibration, NoveltyDetector, SERModel, fit_novelty_detector, load_model, save_model
from ser_core.training import TrainingData, TrainingExample

DEV_COVERAGE = 0.85  # share of development clips on which the threshold lets the model predict
FAMILIES_WITHOUT_OOD = ("egemaps", "wav2vec2")
"""Model families without an OOD detector: opensmile's functionals are not an embedding, wav2vec2's is too large."""

StageProgress = Callable[[str, float], None]
"""Gets the name of a stage and its share that is done, in (0, 1]."""


def export_checkpoint(
    model: SERModel,
    family: str,
    folder: Path,
    data: TrainingData,
    utterances: Sequence[Utterance],
    training: dict,
    progress: StageProgress = lambda stage, share: None,
) -> None:
    """Saves a model, calibrated on the development speakers in the precision of its checkpoint: float16.

    The uncalibrated draft is kept in a folder of its own: an interruption leaves no checkpoint that looks finished.

    Args:
        family: of the model, see MODEL_FAMILIES.
        utterances: recordings, the development part among them.
        training: provenance for config.json: protocol, fold, n_clips, recipe, ...
    """
    calibration, detector = Calibration(), None
    if data.dev:
        draft = folder.with_name("uncalibrated")
        save_model(model, draft, family, calibration, training)
        half = load_model(draft, "cpu")
        speech = [clip for clip in data.dev if is_speech(clip.corpus)]  # the app gets speech, not song
        calibration = fit_calibration(_predict_examples(half, speech, utterances, progress))
        if family not in FAMILIES_WITHOUT_OOD:
            detector = fit_ood_detector(half, data.train, speech, data.store, progress)
        shutil.rmtree(draft)
    save_model(model, folder, family, calibration, training, detector)


def fit_calibration(predictions: PredictionTable) -> Calibration:
    """Temperature and abstention threshold from the predictions of an uncalibrated model for development speakers.

    Args:
        predictions: made with Calibration(temperature=1).
    """
    logits = np.log(np.maximum(predictions.probabilities, 1e-12))
    temperature = fit_temperature(logits, predictions.y_true)
    confidence = softmax(logits / temperature, axis=-1).max(1)
    return Calibration(round(temperature, 4), round(float(np.quantile(confidence, 1 - DEV_COVERAGE)), 4))


def fit_ood_detector(
    model: SERModel,
    train: Sequence[TrainingExample],
    unseen: Sequence[TrainingExample],
    store: AudioStore,
    progress: StageProgress,
) -> NoveltyDetector:
    """Out-of-distribution detector from the embeddings of the training clips and of clips of unseen speakers."""
    embeddings = []
    for stage, clips in (("training clips", train), ("unseen speakers", unseen)):
        windows = [window for clip in clips for window in clip_windows(model, store.trimmed(clip.id))]
        outputs = run_windows(model, windows, partial(progress, stage))
        embeddings.append(outputs.embeddings)
    return fit_novelty_detector(*embeddings)


def _predict_examples(
    model: SERModel, clips: Sequence[TrainingExample], utterances: Sequence[Utterance], progress: StageProgress
) -> PredictionTable:
    """Predictions for the recordings of the clips."""
    ids = {clip.id for clip in clips}
    found = [utterance for utterance in utterances if utterance.id in ids]
    return predict_utterances(model, found, lambda n_done: progress("calibrate", n_done / len(found)))
