"""Evaluation of models: the predictions of the app, scored per corpus and pooled."""

import warnings
from collections.abc import Callable, Sequence

import numpy as np

from ser_core.audio import AudioError, read_audio, speech_segments
from ser_core.data import Utterance
from ser_core.evaluation.scoring.metrics import Metrics, compute_metrics
from ser_core.evaluation.scoring.predictions import PredictionTable
from ser_core.inference import Prediction, Reference, predict
from ser_core.labels import label_index
from ser_core.models import SERModel, check_model, functionals_cache


def stop_at_unreadable(utterance: Utterance, error: AudioError) -> None:
    """Raises an AudioError that names the file."""
    raise AudioError(f"{utterance.path}: {error}") from None


def warn_of_note(utterance: Utterance, note: str) -> None:
    """Warns with the name of the file."""
    warnings.warn(f"{utterance.path}: {note}", stacklevel=3)


def predict_utterances(
    model: SERModel, utterances: Sequence[Utterance], progress: Callable[[int], None] = lambda n_done: None
) -> PredictionTable:
    """Predictions of one model, see predict_utterances_per_model."""
    return predict_utterances_per_model([model], utterances, progress)[0]


def predict_utterances_per_model(
    models: Sequence[SERModel],
    utterances: Sequence[Utterance],
    progress: Callable[[int], None] = lambda n_done: None,
    degrade: Callable[[np.ndarray, Utterance], np.ndarray] = lambda waveform, utterance: waveform,
    reference: Callable[[SERModel, Utterance], Reference | None] = lambda model, utterance: None,
    unreadable: Callable[[Utterance, AudioError], None] = stop_at_unreadable,
    noted: Callable[[Utterance, str], None] = warn_of_note,
) -> list[PredictionTable]:
    """Predictions of every model for every utterance; each recording is decoded once for all models.

    Args:
        progress: called with the number of utterances done.
        degrade: applied to each waveform before prediction.
        reference: for a model and an utterance, see predict.
        unreadable: called with each recording that cannot be read; if it raises nothing, the tables lack the recording.
        noted: called with each note on a recording: what was left out or changed as it was read.

    Raises:
        AudioError: from `unreadable`; by default nothing is skipped.
    """
    predictions, read = [], []
    for n_done, utterance in enumerate(utterances, 1):
        try:
            recording = read_audio(utterance.path)
            waveform = degrade(recording.waveform, utterance)
        except AudioError as error:
            unreadable(utterance, error)
            progress(n_done)
            continue
        for note in recording.notes:
            noted(utterance, note)
        speech = speech_segments(waveform)
        with functionals_cache():
            predictions.append([predict(model, waveform, speech, reference(model, utterance)) for model in models])
        read.append(utterance)
        progress(n_done)
    return [_as_table(model, read, [row[i] for row in predictions]) for i, model in enumerate(models)]


def _as_table(model: SERModel, utterances: Sequence[Utterance], predictions: Sequence[Prediction]) -> PredictionTable:
    labels = model.config.labels
    return PredictionTable(
        labels=labels,
        utterances=tuple(utterances),
        probabilities=np.array([[prediction.probabilities[label] for label in labels] for prediction in predictions]),
        abstained=np.array([prediction.abstain for prediction in predictions], bool),
        temperature=model.calibration.temperature,
    )


def evaluate(
    model: SERModel, utterances: Sequence[Utterance], progress: Callable[[int], None] = lambda n_done: None
) -> Metrics:
    """Metrics of a model on recordings.

    Args:
        progress: called with the number of clips done.

    Raises:
        AudioError: a recording cannot be read.
        TypeError, ValueError: no model; no clip, no utterances, or an emotion that the model cannot choose.
    """
    check_model(model)
    if not isinstance(utterances, Sequence) or not all(isinstance(utterance, Utterance) for utterance in utterances):
        raise TypeError("Recordings to evaluate are a list of Utterance, such as read_corpora(folder).utterances.")
    for utterance in utterances:  # before hours of predictions
        label_index(model.possible_emotions, utterance.emotion)
    return compute_metrics(predict_utterances(model, utterances, progress))
