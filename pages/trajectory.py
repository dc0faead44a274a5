"""Emotion over long audio: what the models hear from window to window, while they are still listening."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Trajectory", anchor=False)
with st.spinner("Starting"):
    from pages import _course, _trajectory_parts as parts
    from pages._input import choose_clip
    from pages._models import choose_models
    from pages._result import show_no_model, show_problem
    from pages._shared import chosen, current_clip, receive, slot
    from ser_core.audio import AudioError
    from ser_core.models import available_models

hindered = receive()
names = available_models()
inputs, results = st.columns([1, 2.3], gap="large")
with inputs:
    choose_clip()
    models = choose_models(names) if names else []
    view = parts.choose_view(models)
    st.caption("Everything runs on your machine. Your audio is kept in this session only.")

with results:
    if hindered:
        st.warning(f"{hindered} Download it there and upload it here.")
    shown, work = slot("trajectory"), st.container()

with work:
    clip = found = problem = None
    try:
        clip = current_clip()
        if clip:
            found = _course.course(clip)
            if not any(name in found.heard for name in models):
                with st.spinner("Listening"):
                    _course.listen(found, models, step_s=0)
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
