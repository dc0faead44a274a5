"""An answer as plain data: what the command line prints and what other programs get."""

from dataclasses import asdict, dataclass

import numpy as np

from ser_core.audio import SAMPLE_RATE, Recording, SpeechSegments, analysed_bounds, speech_segments
from ser_core.inference.clips import run_clips
from ser_core.inference.prediction import predict_with_windows
from ser_core.models import SERModel
from ser_core.progress import Progress, no_progress


@dataclass(frozen=True)
class Embedding:
    """Where a model places a recording in the space it has learned."""

    file: str
    model: str
    version: str
    start_s: float  # the stretch that was analysed
    end_s: float
    embedding: list[float]  # as many numbers as the model's embedding has
    notes: tuple[str, ...]


def prediction_record(
    recording: Recording,
    model: SERModel,
    name: str = "",
    windows: bool = False,
    speech: SpeechSegments | None = None,
    progress: Progress = no_progress,
) -> dict:
    """What one model hears in one file, JSON-serialisable: a Prediction, its file and what is to be said of it.

    Args:
        recording: from read_audio.
        name: of the file, as its owner calls it.
        windows: the answer for each window too.
        speech: speech_segments of it, where they are known already.
        progress: called with the share that is done.
    """
    prediction, trajectory = predict_with_windows(model, recording.waveform, speech, progress)
    record = {"file": name} | prediction.to_dict() | {"notes": recording.notes}
    return record | ({"windows": trajectory.to_records()} if windows else {})


def embedding_record(recording: Recording, model: SERModel, name: str = "", progress: Progress = no_progress) -> dict:
    """The Embedding of the stretch that is analysed: the mean over its windows, as on the embedding map.

    JSON-serialisable. Arguments as for answer_record.
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
