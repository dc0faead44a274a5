"""Which parts of a clip decided, to see and to hear; how far to trust that; and what a worse recording would change."""

import streamlit as st

st.title("Why?", anchor=False)
with st.spinner("Starting"):
    from pages.explain import checks, state, view
    from pages.ui import analysis
    from pages.ui.clip import chosen, current_clip
    from pages.ui.clip_input import choose_clip
    from pages.ui.layout import slot
    from pages.ui.model_picker import model
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
    shown, work = slot(("why", settings)), st.container()

with work:
    clip = hearing = answer = problem = None
    try:
        clip = current_clip()
        if clip:
            hearing = analysis.hear(clip, settings)
            answer = analysis.answer(hearing, settings.model)
            if answer:
                model(answer.prediction.model)  # which may have been deleted since it answered
    except (AudioError, CheckpointError) as error:
        problem = error

with shown():
    if problem:
        show_problem(problem, None if clip else chosen().name)
    elif settings.model is None:
        show_no_model()
    elif answer is None:
        view.show_empty()
    elif answer.prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        view.show_no_speech(answer)
    else:
        heard = view.choose_window(clip, hearing, answer)
        question, method = view.choose_question(heard)
        view.show_question(answer, heard, question)
        found = state.explanation(heard, method, question)
        view.show_map(heard, found)
        with st.container(horizontal=True):
            view.show_export(clip, heard, found, question)
        view.show_sounds(heard, found, question)
        checks.show_trust(heard, found, question)
        checks.show_probe(heard)
