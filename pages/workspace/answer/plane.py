"""The prediction in the plane of arousal and valence, with test clips of unseen speakers behind it."""

import numpy as np
import streamlit as st

from pages.ui.analysis import ModelResult
from pages.ui.chart import chart
from pages.ui.results import evaluated_at, unseen_clips
from ser_core.inference import Prediction, Trajectory, arousal_and_valence, speech_mask
from ser_core.labels import format_number
from ser_core.plots import arousal_valence_plane

MOST_DOTS = 900
MOST_WINDOWS = 60  # of the line: that of more covers the plane, and the view "Over time" shows them
SEED = 0


def show_plane(result: ModelResult) -> None:
    prediction = result.prediction
    others, labels = _others(prediction.model, evaluated_at(prediction.model))
    trail = change_over_time(result.trajectory)
    figure = arousal_valence_plane(
        np.array([prediction.arousal, prediction.valence]),
        None if prediction.abstain else prediction.emotion,
        others,
        labels,
        trail,
    )
    chart(figure, key="plane", numbers=False, alt=_words(prediction))
    dots = f" Dots: {len(labels)} clips of unseen speakers, coloured by label." if labels else ""
    line = " Line: change over time." if len(trail) > 1 else ""
    st.caption(f"Large: this clip, at the mean of the emotions' places weighted by probability.{line}{dots}")


def change_over_time(trajectory: Trajectory) -> np.ndarray:
    """(arousal, valence) of the windows with speech, shape = (n, 2); none where they are more than MOST_WINDOWS."""
    windows = trajectory.probabilities[speech_mask(trajectory)]
    return arousal_and_valence(trajectory.labels, windows if len(windows) <= MOST_WINDOWS else windows[:0])


def _words(prediction: Prediction) -> str:
    arousal, valence = (format_number(value, "+.2f") for value in (prediction.arousal, prediction.valence))
    return f"Arousal {arousal}, valence {valence}, each between −1 and 1"


@st.cache_resource(max_entries=8, show_spinner=False)
def _others(model: str, evaluated: tuple) -> tuple[np.ndarray, list[str]]:
    """(arousal, valence) and label of some of the model's test clips; none where it was not evaluated.

    Args:
        evaluated: of the model, by evaluated_at.
    """
    found = unseen_clips(model)
    if found is None:
        return np.zeros((0, 2)), []
    n = len(found.utterances)
    rows = np.random.default_rng(SEED).permutation(n)[:MOST_DOTS]
    return arousal_and_valence(found.labels, found.probabilities[rows]), [found.utterances[i].emotion for i in rows]
