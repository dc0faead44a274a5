"""What is answered, for the description of the API; the tests hold the answers against it."""

from dataclasses import dataclass

from ser_core.inference import Prediction


@dataclass(frozen=True, kw_only=True)
class PredictResponse(Prediction):
    """What one model hears in one recording."""

    file: str  # its name, where a form gives one
    notes: tuple[str, ...]  # what was left out or mended


@dataclass(frozen=True)
class WindowResponse:
    """What is heard in a few seconds of it."""

    start_s: float
    end_s: float
    speech_s: float
    emotion: str
    probabilities: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class WindowsResponse(PredictResponse):
    """The same, and the answer for each window."""

    windows: tuple[WindowResponse, ...]


@dataclass(frozen=True)
class ModelsResponse:
    """What can be asked."""

    models: tuple[str, ...]  # first the one that answers when none is named
    emotions: tuple[str, ...]


@dataclass(frozen=True)
class HealthResponse:
    """How the server is."""

    status: str  # "ok": REST answers
    live: bool  # the live page answers at once; until then it makes its visitors wait
    in_line: int  # requests and pages
    models_in_memory: tuple[str, ...]
