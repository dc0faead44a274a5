"""Several models on one clip: where they agree, what they say together, what each of them hears."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Compare models", anchor=False)
with st.spinner("Starting"):
    from pages import _analysis, _compare_parts as parts, _result
    from pages._input import choose_clip
    from pages._models import choose_models
    from pages._shared import chosen, current_clip, slot
    from ser_core.audio import AudioError
    from ser_core.models import available_models

names = available_models()
inputs, results = st.columns([1, 2.3], gap="large")
with inputs:
    choose_clip()
    models = choose_models(names, n_first=len(names)) if names else []
    st.caption("Everything runs on your machine. Your audio is kept in this session only.")

with results:
    shown, work = slot(tuple(models)), st.container()

with work:
    clip = hearing = problem = None
    answers, problems = [], []
    try:
        clip = current_clip()
        if clip:
            hearing = _analysis.hear(clip, _analysis.Settings(None))
            answers, problems = _analysis.answers_of(hearing, models)
    except AudioError as error:
        problem = error

with shown():
    if hearing:
        _result.show_clip(clip, hearing, None)
    if problem:
        _result.show_problem(problem, None if clip else chosen().name)
    elif not names:
        _result.show_no_model()
    elif not hearing:
        parts.show_empty()
    else:
        parts.show_comparison(clip, hearing, answers, problems)
