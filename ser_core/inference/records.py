"""Predictions and embeddings as plain data: the output of the command line and of the REST API."""

from dataclasses import asdict, dataclass

import numpy as np

from ser_core.audio import SAMPLE_RATE, Recording, SpeechSegments, analysed_bounds, speech_segments
from ser_core.inference.enrolment import MIN_OWN_REFERENCE_SPEECH_S, recording_reference
from ser_core.inference.forward import run_clips
from ser_core.inference.prediction.predict import predict_windows, predict_with_windows
from ser_core.inference.reference import OWN_RECORDING, ReferenceChoice
from ser_core.inference.results import Trajectory
from ser_core.inference.smoothing import window_labels
from ser_core.models import SERModel
from ser_core.progress import Progress, no_progress

SHORT_RECORDING_NOTE = (
    f"Predicted alone: a recording needs {MIN_OWN_REFERENCE_SPEECH_S:g} s of speech to be its own reference."
)


@dataclass(frozen=True)
class Embedding:
    """The embedding of a recording by one model."""

    file: str
    model: str
    version: str
    start_s: float  # of the analysed part
    end_s: float
    embedding: list[float]  # (embedding_dim,)
    notes: tuple[str, ...]


def prediction_record(
    recording: Recording,
    model: SERModel,
    name: str = "",
    windows: bool = False,
    speech: SpeechSegments | None = None,
    progress: Progress = no_progress,
    reference: ReferenceChoice = None,
) -> dict:
    """The prediction for one file, JSON-serialisable: the fields of Prediction, the file name and notes.

    Args:
        recording: from read_audio.
        name: of the file.
        windows: adds the prediction for each window.
        speech: speech_segments of it, if already computed.
        progress: called after each batch.
        reference: of the speaker; "recording": see recording_reference, without one if there is too little speech.

    Raises:
        AudioError, SpeakerReferenceError: as for predict.
    """
    speech = speech_segments(recording.waveform) if speech is None else speech
    own = recording_reference(model, recording.waveform, speech) if reference == OWN_RECORDING else reference
    prediction, _ = predict_with_windows(model, recording.waveform, speech, progress, own)
    record = {"file": name} | prediction.to_dict() | {"notes": recording.notes}
    if reference == OWN_RECORDING and own is None:
        record["reference_note"] = SHORT_RECORDING_NOTE
    return record | ({"windows": _trajectory_records(model, recording.waveform, speech, reference)} if windows else {})


def _trajectory_records(
    model: SERModel, waveform: np.ndarray, speech: SpeechSegments, reference: ReferenceChoice
) -> list[dict]:
    if reference == OWN_RECORDING:
        reference = recording_reference(model, waveform, speech, model.trajectory_window_s)
    trajectory = predict_windows(model, waveform, speech=speech, reference=reference)
    threshold = model.calibration.threshold(trajectory.reference_clips > 0)  # without, of itself alone
    return window_records(trajectory, threshold)


def window_records(trajectory: Trajectory, min_confidence: float) -> list[dict]:
    """The records of a trajectory, each with its answer: an emotion, "not sure" or "no speech"."""
    labels = window_labels(trajectory, trajectory.probabilities.argmax(1), min_confidence).tolist()
    return [record | {"answer": label} for record, label in zip(trajectory.to_records(), labels, strict=True)]


def embedding_record(recording: Recording, model: SERModel, name: str = "", progress: Progress = no_progress) -> dict:
    """The Embedding of a file, JSON-serialisable: the mean over its windows, as on the embedding map.

    Arguments as for prediction_record.
    """
    waveform = recording.waveform
    first, last = analysed_bounds(waveform, speech_segments(waveform))
    embeddings = run_clips(model, [waveform[first:last]], progress).embeddings
    found = Embedding(
        file=name,
        model=model.name,
        version=model.version,
        start_s=first / SAMPLE_RATE,
        end_s=last / SAMPLE_RATE,
        embedding=np.ravel(embeddings).tolist(),
        notes=recording.notes,
    )
    return asdict(found)
