"""From the window that is explained to what the page "Why?" shows, each step computed once per clip."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from pages.ui.analysis import Answer, Hearing
from pages.ui.components.player import Track, track
from pages.ui.model_picker import model
from pages.ui.session import remember
from ser_core.audio import SAMPLE_RATE, FrontendConfig
from ser_core.inference import calibrated_probabilities, run_windows
from ser_core.interpret import (
    PERTURBATION_PROBES,
    AttributionTarget,
    Explanation,
    FaithfulnessCurves,
    explain,
    measure_faithfulness,
    parameter_randomisation_test,
    perturb_waveform,
    perturbation_probabilities,
    split_by_relevance,
)
from ser_core.plots import Spectrogram, spectrogram

WHOLE, DECIDED, ELSE = "Everything", "Only what decided", "Everything else"


@dataclass(frozen=True, eq=False)
class Window:
    """A stretch that a model heard at once."""

    id: str  # names the sound and its place in it
    model: str
    waveform: np.ndarray  # shape = (n_samples,)
    start_s: float  # in the recording
    end_s: float
    speech: tuple[tuple[float, float], ...]  # (start_s, end_s) in the window
    probabilities: dict[str, float]

    @property
    def emotion(self) -> str:
        """The likeliest one."""
        return max(self.probabilities, key=self.probabilities.get)

    @property
    def frontend(self) -> FrontendConfig:
        return model(self.model).config.frontend


def window(hearing: Hearing, answer: Answer, i: int) -> Window:
    """The i-th window of an answer."""
    trajectory = answer.trajectory
    start_s, end_s = float(trajectory.start_s[i]), float(trajectory.end_s[i])
    inside = [(max(a, start_s) - start_s, min(b, end_s) - start_s) for a, b in hearing.quality.speech_segments]
    return Window(
        id=f"{hearing.id} {start_s:.4f} {end_s:.4f}",
        model=trajectory.model,
        waveform=hearing.waveform[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)],
        start_s=start_s,
        end_s=end_s,
        speech=tuple((a, b) for a, b in inside if a < b),
        probabilities=dict(zip(trajectory.labels, trajectory.probabilities[i].tolist(), strict=True)),
    )


def telling(answer: Answer) -> int:
    """The window that is explained first: of those with speech, the surest of the answer to the whole clip."""
    trajectory = answer.trajectory
    column = trajectory.probabilities[:, trajectory.labels.index(answer.prediction.emotion)]
    return int(np.where(trajectory.speech_s > 0, column, -1.0).argmax())


def picture(heard: Window) -> Spectrogram:
    return remember(lambda: spectrogram(heard.waveform), heard.id, "picture")


def explanation(heard: Window, method: str, question: AttributionTarget) -> Explanation:
    """The map of one method."""
    make = partial(explain, model(heard.model), heard.waveform, method, question)
    return _with_progress(f"Explaining: {method}", make, heard.id, "explain", heard.model, method, question)


def sounds(heard: Window, found: Explanation, question: AttributionTarget, share: float) -> dict[str, np.ndarray]:
    """The window, its most relevant parts, and the rest; each of shape (n_samples,)."""
    key = (heard.id, "sounds", heard.model, found.method, question, share)
    kept, removed = remember(lambda: split_by_relevance(heard.waveform, found, heard.frontend, share), *key)
    return {WHOLE: heard.waveform, ELSE: removed, DECIDED: kept}


def tracks(heard: Window, parts: dict[str, np.ndarray], *key: Any) -> list[Track]:
    """For the player, which begins with the last one."""
    name = " ".join(map(str, key))
    return [
        remember(lambda part=part, waveform=waveform: track(part, waveform, f"{heard.id} {name}"), heard.id, part, name)
        for part, waveform in parts.items()
    ]


def answers(heard: Window, parts: dict[str, np.ndarray], *key: Any) -> dict[str, dict[str, float]]:
    """Name of the sound -> probability of each emotion."""
    judge = model(heard.model)
    found = remember(
        lambda: calibrated_probabilities(judge, run_windows(judge, list(parts.values())).logits),
        heard.id,
        "answers",
        heard.model,
        *key,
    )
    return {
        name: dict(zip(judge.config.labels, row.tolist(), strict=True)) for name, row in zip(parts, found, strict=True)
    }


def faithful(heard: Window, found: Explanation, question: AttributionTarget) -> FaithfulnessCurves:
    """What is left when parts are kept or removed in the order of the map."""
    make = partial(measure_faithfulness, model(heard.model), heard.waveform, found, question.emotion)
    key = (heard.id, "faithfulness", heard.model, found.method, question)
    return _with_progress("Removing and keeping parts", make, *key)


def sanity(heard: Window, found: Explanation, question: AttributionTarget) -> tuple[float, ...]:
    """Rank correlations with the maps of models whose weights are shuffled."""
    make = partial(parameter_randomisation_test, model(heard.model), heard.waveform, found, question)
    return _with_progress("Explaining models with shuffled weights", make, *sanity_key(heard, found, question))


def sanity_key(heard: Window, found: Explanation, question: AttributionTarget) -> tuple:
    return heard.id, "sanity", heard.model, found.method, question


def probed(heard: Window, kind: str) -> np.ndarray:
    """Probabilities at each value of a probe, shape = (n_values, n_classes)."""
    make = partial(perturbation_probabilities, model(heard.model), heard.waveform, PERTURBATION_PROBES[kind])
    return _with_progress(f"Listening again: {kind}", make, *probe_key(heard, kind))


def probe_key(heard: Window, kind: str) -> tuple:
    return heard.id, "probe", heard.model, kind


def worse(heard: Window, kind: str, value: float) -> np.ndarray:
    """The window with one value of a probe, shape = (n_samples,)."""
    return remember(
        lambda: perturb_waveform(PERTURBATION_PROBES[kind], heard.waveform, value), heard.id, "worse", kind, value
    )


def _with_progress(label: str, make: Callable[..., Any], *key: Any) -> Any:
    """As `remember`, with a bar while it runs; `make` takes `progress`."""

    def run() -> Any:
        bar = st.progress(0.0, label)
        found = make(progress=lambda share: bar.progress(min(1.0, share), label))
        bar.empty()
        return found

    return remember(run, *key)
