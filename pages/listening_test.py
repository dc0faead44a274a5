"""Hear an actor, say which emotion was meant, and see whether the models do better."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Listening test", anchor=False)
with st.spinner("Starting"):
    from pages import _listening, _listening_parts as parts
    from pages._result import show_no_model, show_problem
    from ser_core.models import CheckpointError, available_models

names = available_models()
if not names:
    show_no_model()
    st.stop()
models = parts.choose_models(names)
try:
    clips = _listening.askable(models) if models else []
    if not clips:
        parts.show_nothing(models)
    else:
        parts.show_clip(models, clips)
except CheckpointError as error:
    show_problem(error)
parts.show_score()
