"""Before and after: predictions for the labelled clips without and with the enrolled voice."""

import streamlit as st

from pages.enrol.state import known_gain, measure_gain
from pages.ui.session import session
from pages.ui.text import plain
from pages.ui.voice.clips import enrolment_state
from ser_core.audio import AudioError
from ser_core.inference import EnrolmentGain, Prediction, SpeakerReferenceError
from ser_core.labels import format_probability
from ser_core.plots import emotion_label

ENOUGH = 10  # labelled clips; fewer say little


def show_comparison(model: str) -> None:
    """A button, then a sentence and a table; nothing without labelled clips."""
    known = session().voice_clips
    if len(known) < 2 or not known.keys() & enrolment_state().labels:
        return
    st.subheader("Before and after", anchor=False)
    found = known_gain(model)
    if found is None:
        st.caption("Every labelled clip is predicted without your voice, and relative to your other clips.")
        st.button("Compare on my labelled clips", type="primary", on_click=None, key="measure-gain")
        if not st.session_state["measure-gain"]:
            return
        found = _measure(model)
    if found:
        st.markdown(describe_gain(found))
        st.dataframe(_rows(found), hide_index=True, alt="Predictions without and with the enrolled voice")


def _measure(model: str) -> EnrolmentGain | None:
    bar = st.progress(0.0, "Predicting the labelled clips")
    try:
        measure_gain(model, lambda share: bar.progress(share, "Predicting the labelled clips"))
    except (SpeakerReferenceError, AudioError) as error:
        st.warning(plain(str(error)))
    bar.empty()
    return known_gain(model)


def describe_gain(found: EnrolmentGain) -> str:
    """In neutral words: a difference of one clip is none."""
    before, after = found.n_right
    n = len(found.emotions)
    if after == before:
        text = f"No difference yet: {before} of {n} clips are predicted as labelled, with and without your voice."
    else:
        text = f"With your voice {after} of {n} clips are predicted as labelled, without it {before}."
        if after - before == 1 or after < before:
            text += " That may be chance." if after > before else " On these clips it does not help."
    return text if n >= ENOUGH else f"{text} Fewer than {ENOUGH} labelled clips say little."


def _rows(found: EnrolmentGain) -> list[dict]:
    return [
        {"label": emotion_label(emotion), "without": _shown(before), "with your voice": _shown(after)}
        for emotion, before, after in zip(found.emotions, found.without, found.enrolled, strict=True)
    ]


def _shown(prediction: Prediction) -> str:
    return f"{emotion_label(prediction.emotion)} {format_probability(prediction.confidence)}"
