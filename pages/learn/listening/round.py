"""Listening test: the person and the models judge the same clips of unseen actors."""

import streamlit as st

from pages.learn.listening import state, view
from pages.ui.problems import show_no_model, show_problem
from ser_core.models import CheckpointError, available_models

TITLE = "Listening test"


def show() -> None:
    """What is asked, the clip of the round, the score."""
    names = available_models()
    if not names:
        show_no_model()
        return
    intro = st.container()
    models = view.choose_models(names)
    try:
        clips = state.eligible_clips(models) if models else []
        with intro:
            view.show_intro(clips)
        if not clips:
            view.show_nothing(models)
        else:
            view.show_clip(models, clips)
    except CheckpointError as error:
        show_problem(error)
    view.show_score()
