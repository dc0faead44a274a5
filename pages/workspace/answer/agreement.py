"""What the other models predict, filled in one by one below an answer that stays."""

from collections.abc import Callable
from html import escape

import streamlit as st

from pages.ui import analysis
from pages.ui.analysis import ModelResult, PreparedClip
from pages.ui.emotion import agreement_in_words
from pages.ui.voice.personal import is_enrolled_for, personal_model
from ser_core.inference import Prediction, SpeakerReferenceError
from ser_core.labels import EMOTION_STYLES, format_probability
from ser_core.models import CheckpointError, available_models, functionals_cache
from ser_core.plots import emotion_label

MAX_S = 60.0  # of a clip: a longer one is left to the view Models


def show_agreement(prepared: PreparedClip, chosen: str, first: ModelResult) -> Callable[[], None] | None:
    """Draws what is known; returns what fills in the rest, None where nothing is missing.

    Args:
        chosen: the model whose result stands first.
    """
    others = [name for name in available_models() if name != chosen]
    if not others:
        return None
    if prepared.quality.duration_s > MAX_S:
        st.caption("The view Models runs the other models on this clip.")
        return None
    headline = st.empty()
    with st.expander("Each model", expanded=True, key="each-model"):
        place = st.empty()
    known = {name: _prediction(prepared, name) for name in others if _is_predicted(prepared, name)}
    _draw(headline, place, first.prediction, known, len(others))
    missing = [name for name in others if name not in known]
    if not missing:
        return None

    def fill_in() -> None:
        with functionals_cache():
            for name in missing:
                known[name] = _prediction(prepared, name)
                _draw(headline, place, first.prediction, known, len(others))

    return fill_in


def _prediction(prepared: PreparedClip, name: str) -> Prediction | None:
    """As in the view Models; None where the model cannot be used, of which that view says why."""
    try:
        return analysis.model_result(prepared, personal_model(name, clip=prepared.clip), quiet=True).prediction
    except (CheckpointError, SpeakerReferenceError):
        return None


def _is_predicted(prepared: PreparedClip, name: str) -> bool:
    """Whether it takes no time."""
    try:
        return is_enrolled_for(name) and analysis.is_predicted(prepared, personal_model(name, clip=prepared.clip))
    except (CheckpointError, SpeakerReferenceError):
        return False


def _draw(headline, place, first: Prediction, known: dict[str, Prediction | None], n_others: int) -> None:
    rows = [first, *(prediction for prediction in known.values() if prediction)]
    waiting = n_others - len(known)
    headline.markdown(f"**{agreement_in_words(rows, waiting)}**")
    with place.container(gap="xsmall"):
        st.html(f'<ul class="model-rows">{"".join(map(_row, rows))}</ul>')
        if any(prediction.abstain for prediction in rows):
            st.caption("“?”: this model is not sure.")


def _row(prediction: Prediction) -> str:
    style = EMOTION_STYLES[prediction.emotion]
    unsure = " unsure" if prediction.abstain else ""
    name, label = escape(prediction.model), emotion_label(prediction.emotion)
    confidence = format_probability(prediction.confidence)
    return (
        f'<li class="model-row{unsure}" style="--emotion:{style.colour};--share:{prediction.confidence:.3f}">'
        f'<span class="model">{name}</span><span class="label">{label}{" ?" if prediction.abstain else ""}</span>'
        f'<span class="track"><i></i></span><span class="share">{escape(confidence)}</span></li>'
    )
