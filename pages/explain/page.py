"""Explanation of a prediction: attribution map, faithfulness, sanity check, perturbations."""

import streamlit as st

st.title("Why?", anchor=False)
with st.spinner("Starting"):
    from pages.explain import checks, state, view
    from pages.ui import analysis
    from pages.ui.clip import chosen, current_clip
    from pages.ui.clip_input import choose_clip
    from pages.ui.layout import result_place
    from pages.ui.model_picker import get_model
    from pages.ui.problems import show_no_model, show_problem
    from ser_core.audio import AudioError
    from ser_core.inference import MIN_SPEECH_TO_PREDICT_S
    from ser_core.models import CheckpointError

inputs, results = st.columns([1, 2.3], gap="large")
with inputs:
    choose_clip()
    settings = analysis.choose_settings(has_clip=False)
    st.caption("Everything runs on your machine. Your audio is kept in this session only.")

with results:
    shown, work = result_place(("why", settings)), st.container()

with work:
    clip = prepared = result = problem = None
    try:
        clip = current_clip()
        if clip:
            prepared = analysis.prepare_clip(clip, settings)
            result = analysis.model_result(prepared, settings.model)
            if result:
                get_model(result.prediction.model)  # which may have been deleted since the prediction
    except (AudioError, CheckpointError) as error:
        problem = error

with shown():
    if problem:
        show_problem(problem, None if clip else chosen().name)
    elif settings.model is None:
        show_no_model()
    elif result is None:
        view.show_empty()
    elif result.prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        view.show_no_speech(result)
    else:
        explained = view.choose_window(clip, prepared, result)
        question, method = view.choose_question(explained)
        view.show_question(result, explained, question)
        found = state.explanation(explained, method, question)
        view.show_map(explained, found)
        with st.container(horizontal=True):
            view.show_export(clip, explained, found, question)
        view.show_sounds(explained, found, question)
        checks.show_trust(explained, found, question)
        checks.show_probe(explained)
