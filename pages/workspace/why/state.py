"""Computations of the view "Why", each done once per clip."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import streamlit as st

from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.components.player import Track, track
from pages.ui.model_picker import get_model
from pages.ui.session import is_remembered, remember
from pages.ui.voice.personal import PersonalModel
from ser_core.audio import SAMPLE_RATE, FrontendConfig
from ser_core.inference import calibrated_probabilities, run_windows, speech_mask
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
from ser_core.models import SERModel
from ser_core.plots import Spectrogram, spectrogram

WHOLE, RELEVANT, REMAINDER = "Everything", "Relevant part", "Remainder"


@dataclass(frozen=True, eq=False)
class ExplainedWindow:
    """One input window of a model, with its prediction."""

    id: str  # names the sound, its place in it and the version of the model
    made_by: PersonalModel
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
    def model(self) -> str:
        """Name of the model."""
        return self.made_by.name

    @property
    def judge(self) -> SERModel:
        """What is explained: the model as it made the prediction."""
        return self.made_by.load()

    @property
    def frontend(self) -> FrontendConfig:
        return get_model(self.model).config.frontend


def window(prepared: PreparedClip, result: ModelResult, i: int) -> ExplainedWindow:
    """The i-th window of a result."""
    trajectory = result.trajectory
    start_s, end_s = float(trajectory.start_s[i]), float(trajectory.end_s[i])
    inside = [(max(a, start_s) - start_s, min(b, end_s) - start_s) for a, b in prepared.speech]
    return ExplainedWindow(
        id=f"{prepared.id} {result.prediction.version} {start_s:.4f} {end_s:.4f}",
        made_by=result.model,
        waveform=prepared.waveform[round(start_s * SAMPLE_RATE) : round(end_s * SAMPLE_RATE)],
        start_s=start_s,
        end_s=end_s,
        speech=tuple((a, b) for a, b in inside if a < b),
        probabilities=dict(zip(trajectory.labels, trajectory.probabilities[i].tolist(), strict=True)),
    )


def most_confident_window(result: ModelResult) -> int:
    """The window that is explained first: of those with speech, the most confident in the emotion of the clip."""
    trajectory = result.trajectory
    column = trajectory.probabilities[:, trajectory.labels.index(result.prediction.emotion)]
    return int(np.where(speech_mask(trajectory), column, -1.0).argmax())


def window_spectrogram(explained: ExplainedWindow) -> Spectrogram:
    return remember(lambda: spectrogram(explained.waveform), explained.id, "spectrogram")


def explanation(explained: ExplainedWindow, method: str, question: AttributionTarget) -> Explanation:
    """The map of one method."""
    make = partial(explain, explained.judge, explained.waveform, method, question)
    return _with_progress(f"Explaining: {method}", make, explained.id, "explain", explained.made_by, method, question)


def relevant_and_remainder(
    explained: ExplainedWindow, found: Explanation, question: AttributionTarget, share: float
) -> dict[str, np.ndarray]:
    """The window, its most relevant parts, and the rest; each of shape (n_samples,)."""
    key = (explained.id, "sounds", explained.made_by, found.method, question, share)
    kept, removed = remember(lambda: split_by_relevance(explained.waveform, found, explained.frontend, share), *key)
    return {WHOLE: explained.waveform, REMAINDER: removed, RELEVANT: kept}


def tracks(explained: ExplainedWindow, parts: dict[str, np.ndarray], *key: Any) -> list[Track]:
    """For the player, which begins with the last one."""
    name = " ".join(map(str, key))
    return [
        remember(
            lambda part=part, waveform=waveform: track(part, waveform, f"{explained.id} {name}"),
            explained.id,
            part,
            name,
        )
        for part, waveform in parts.items()
    ]


def part_probabilities(
    explained: ExplainedWindow, parts: dict[str, np.ndarray], *key: Any
) -> dict[str, dict[str, float]]:
    """Name of the sound -> probability of each emotion."""
    judge = explained.judge
    found = remember(
        lambda: calibrated_probabilities(judge, run_windows(judge, list(parts.values())).logits),
        explained.id,
        "part probabilities",
        explained.made_by,
        *key,
    )
    return {
        name: dict(zip(judge.config.labels, row.tolist(), strict=True)) for name, row in zip(parts, found, strict=True)
    }


def faithfulness_curves(
    explained: ExplainedWindow,
    found: Explanation,
    question: AttributionTarget,
    at_random: FaithfulnessCurves | None,
) -> FaithfulnessCurves:
    """What is left when parts are kept or removed in the order of the map.

    Args:
        at_random: curves of another map of the same shape.
    """
    judge, waveform = explained.judge, explained.waveform
    make = partial(measure_faithfulness, judge, waveform, found, question.emotion, at_random=at_random)
    return _with_progress(f"Testing: {found.method}", make, *_curves_key(explained, found.method, question))


def known_curves(explained: ExplainedWindow, method: str, question: AttributionTarget) -> FaithfulnessCurves | None:
    """The same, if it is known."""
    key = _curves_key(explained, method, question)
    return remember(lambda: None, *key) if is_remembered(*key) else None


def _curves_key(explained: ExplainedWindow, method: str, question: AttributionTarget) -> tuple:
    return explained.id, "faithfulness", explained.made_by, method, question


def randomisation_test(
    explained: ExplainedWindow, found: Explanation, question: AttributionTarget
) -> tuple[float, ...]:
    """Rank correlations with the maps of models whose weights are shuffled."""
    make = partial(parameter_randomisation_test, explained.judge, explained.waveform, found, question)
    return _with_progress("Explaining models with randomised weights", make, *sanity_key(explained, found, question))


def sanity_key(explained: ExplainedWindow, found: Explanation, question: AttributionTarget) -> tuple:
    return explained.id, "sanity", explained.made_by, found.method, question


def probe_probabilities(explained: ExplainedWindow, kind: str) -> np.ndarray:
    """Probabilities at each value of a probe, shape = (n_values, n_classes)."""
    make = partial(perturbation_probabilities, explained.judge, explained.waveform, PERTURBATION_PROBES[kind])
    return _with_progress(f"Running the model: {kind}", make, explained.id, "probe", explained.made_by, kind)


def perturbed_waveform(explained: ExplainedWindow, kind: str, value: float) -> np.ndarray:
    """The window with one value of a probe, shape = (n_samples,)."""
    return remember(
        lambda: perturb_waveform(PERTURBATION_PROBES[kind], explained.waveform, value),
        explained.id,
        "worse",
        kind,
        value,
    )


def _with_progress(label: str, make: Callable[..., Any], *key: Any) -> Any:
    """As `remember`, with a bar while it runs; `make` takes `progress`."""

    def run() -> Any:
        bar = st.progress(0.0, label)
        found = make(progress=lambda share: bar.progress(min(1.0, share), label))
        bar.empty()
        return found

    return remember(run, *key)
