"""Response schemas of the REST API, for its documentation; the tests validate the responses against them."""

from dataclasses import dataclass

from ser_core.inference import Prediction


@dataclass(frozen=True, kw_only=True)
class PredictResponse(Prediction):
    """Prediction of one model for one recording."""

    file: str  # file name in a form, or ""
    notes: tuple[str, ...]  # skipped or repaired parts of the file


@dataclass(frozen=True)
class WindowResponse:
    """Prediction for one window."""

    start_s: float
    end_s: float
    speech_s: float
    emotion: str
    probabilities: dict[str, float]
    arousal: float | None  # in [-1, 1]; null without speech
    valence: float | None
    answer: str  # the emotion, "not sure" or "no speech"


@dataclass(frozen=True, kw_only=True)
class WindowsResponse(PredictResponse):
    """Prediction for a recording and each of its windows."""

    windows: tuple[WindowResponse, ...]


@dataclass(frozen=True)
class ReferenceResponse:
    """Reference of one speaker, or of a collection, for one model."""

    model: str
    version: str
    embedding: tuple[float, ...]  # mean over the clips
    n_clips: int
    speech_s: float
    spread: float | None  # mean distance of a clip from the mean of the others; null for a single clip
    source: str  # "clips" or "collection"
    clips: tuple[str, ...]  # fingerprints: a recording that is one of them is compared with the others alone
    emotions: tuple[str, ...]  # of the clips; empty where unknown


@dataclass(frozen=True)
class ModelsResponse:
    """Available models and their classes."""

    models: tuple[str, ...]  # the default first
    emotions: tuple[str, ...]


@dataclass(frozen=True)
class HealthResponse:
    """State of the server."""

    status: str  # "ok"
    live: bool  # the live page is ready; until then its requests wait
    in_line: int  # requests and pages in the queue
    models_in_memory: tuple[str, ...]
