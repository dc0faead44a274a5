"""Several models on one clip: agreement, ensemble prediction, input features."""

import streamlit as st

st.title("Compare models", anchor=False)
with st.spinner("Starting"):
    from pages.compare import view
    from pages.ui import analysis, result
    from pages.ui.clip import chosen, current_clip
    from pages.ui.clip_input import choose_clip
    from pages.ui.layout import result_place
    from pages.ui.model_picker import choose_models
    from pages.ui.problems import show_no_model, show_problem
    from ser_core.audio import AudioError
    from ser_core.models import available_models

names = available_models()
inputs, results = st.columns([1, 2.3], gap="large")
with inputs:
    choose_clip("models", names)
    models = choose_models(names, n_first=len(names)) if names else []
    st.caption("Everything runs on your machine. Your audio is kept in this session only.")

with results:
    shown, work = result_place(tuple(models)), st.container()

with work:
    clip = prepared = problem = None
    model_results, problems = [], []
    try:
        clip = current_clip()
        if clip:
            prepared = analysis.prepare_clip(clip, analysis.Settings(None))
            model_results, problems = analysis.model_results(prepared, models)
    except AudioError as error:
        problem = error

with shown():
    if prepared:
        result.show_clip(clip, prepared, None)
    if problem:
        show_problem(problem, None if clip else chosen().name)
    elif not names:
        show_no_model()
    elif not prepared:
        view.show_empty()
    else:
        view.show_comparison(clip, prepared, model_results, problems)
