"""Analysis of one clip: quality, predicted emotion, confidence, trajectory."""

import streamlit as st

st.title("Record & analyse", anchor=False)
with st.spinner("Starting"):  # torch takes seconds to import, once per server
    from pages.record import enrolment, feedback
    from pages.ui import analysis, result
    from pages.ui.clip import chosen, current_clip
    from pages.ui.clip_input import choose_clip
    from pages.ui.layout import result_place
    from pages.ui.problems import show_no_model, show_problem
    from ser_core.audio import AudioError
    from ser_core.inference import SpeakerReferenceError
    from ser_core.models import AdapterError, CheckpointError

inputs, results = st.columns([1, 2.3], gap="large")
with inputs:
    choose_clip()
    settings = analysis.choose_settings(has_clip=chosen() is not None)
    st.caption("Everything runs on your machine. Your audio is kept in this session only.")

with results:
    shown, work = result_place(settings), st.container()

with work:
    clip = prepared = model_result = others = problem = None
    try:
        clip = current_clip()
        if clip:
            prepared = analysis.prepare_clip(clip, settings)
            others = analysis.all_model_results(prepared) if settings.all_models else None
            model_result = analysis.model_result(prepared, settings.model, settings.my_voice, settings.enrolled)
    except (AudioError, CheckpointError, AdapterError, SpeakerReferenceError) as error:
        problem = error

with shown():
    if prepared:
        result.show_clip(clip, prepared, model_result)
    if problem:
        show_problem(problem, None if clip else chosen().name)
        if others:
            result.show_side_by_side(*others)
    elif model_result:
        result.show_prediction(clip, model_result)
        enrolment.show_enrolment(clip, model_result)
        feedback.show_feedback(clip, model_result)
        if others:
            result.show_side_by_side(*others)
        result.show_export(clip, prepared, model_result)
    elif prepared:
        show_no_model()
    else:
        result.show_empty()
