"""Speech emotion recognition: read a recording, ask a trained model, measure how far to trust it."""

from ser_core import threads  # noqa: F401 - before torch
from ser_core.audio import AudioError, load_audio, read_audio
from ser_core.checkpoint import CheckpointError, available_models, load_model
from ser_core.corpora import Utterance, corpora_root, read_corpora
from ser_core.inference import Prediction, Trajectory, analyse, predict, predict_emotion, predict_windows
from ser_core.labels import EMOTIONS
from ser_core.quality import Quality, quality, speech_segments

__all__ = [
    "EMOTIONS",
    "AudioError",
    "CheckpointError",
    "Prediction",
    "Quality",
    "Trajectory",
    "Utterance",
    "analyse",
    "available_models",
    "corpora_root",
    "load_audio",
    "load_model",
    "predict",
    "predict_emotion",
    "predict_windows",
    "quality",
    "read_audio",
    "read_corpora",
    "speech_segments",
]
