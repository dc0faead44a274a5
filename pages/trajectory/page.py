"""Trajectory of emotion over long audio, drawn while the models are still running."""

import streamlit as st

st.title("Trajectory", anchor=False)
with st.spinner("Starting"):
    from pages.trajectory import state, view as parts
    from pages.ui.clip import chosen, current_clip, receive_live_recording
    from pages.ui.clip_input import choose_clip
    from pages.ui.layout import result_place
    from pages.ui.model_picker import choose_models
    from pages.ui.problems import show_no_model, show_problem
    from ser_core.audio import AudioError
    from ser_core.models import models_for_long_audio

hindered = receive_live_recording()
names = models_for_long_audio()
inputs, results = st.columns([1, 2.3], gap="large")
with inputs:
    choose_clip("models", names[:1])
    models = choose_models(names) if names else []
    view = parts.choose_view(models)
    own_reference = parts.choose_own_reference(models)
    st.caption("Everything runs on your machine. Your audio is kept in this session only.")

with results:
    if hindered:
        st.warning(f"{hindered} Download it there and upload it here.")
    shown, work = result_place("trajectory"), st.container()

with work:
    clip = found = problem = None
    try:
        clip = current_clip()
        if clip:
            found = state.course(clip, own_reference)
            if not any(name in found.partials for name in models):
                with st.spinner("Analysing"):
                    state.analyse(found, models, step_s=0)
    except AudioError as error:
        problem = error

with shown():
    if problem:
        show_problem(problem, chosen().name)
    elif not names:
        show_no_model()
    elif not clip:
        parts.show_empty()
    elif not models:
        st.info("Choose at least one model.")
    else:
        parts.show_course(clip, found, models, view)
