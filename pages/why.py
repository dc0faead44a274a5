"""Which parts of a clip decided, to see and to hear; how far to trust that; and what a worse recording would change."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Why?", anchor=False)
with st.spinner("Starting"):
    from pages import _analysis, _explaining, _explaining_checks as checks, _explaining_parts as parts
    from pages._input import choose_clip
    from pages._result import show_no_model, show_problem
    from pages._shared import chosen, current_clip, model, slot
    from ser_core.audio import AudioError
    from ser_core.inference import MIN_SPEECH_TO_PREDICT_S
    from ser_core.models import CheckpointError

inputs, results = st.columns([1, 2.3], gap="large")
with inputs:
    choose_clip()
    settings = _analysis.choose_settings(has_clip=False)
    st.caption("Everything runs on your machine. Your audio is kept in this session only.")

with results:
    shown, work = slot(("why", settings)), st.container()

with work:
    clip = hearing = answer = problem = None
    try:
        clip = current_clip()
        if clip:
            hearing = _analysis.hear(clip, settings)
            answer = _analysis.answer(hearing, settings.model)
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
        parts.show_empty()
    elif answer.prediction.speech_s < MIN_SPEECH_TO_PREDICT_S:
        parts.show_no_speech(answer)
    else:
        heard = parts.choose_window(clip, hearing, answer)
        question, method = parts.choose_question(heard)
        parts.show_question(answer, heard, question)
        found = _explaining.explanation(heard, method, question)
        parts.show_map(heard, found)
        with st.container(horizontal=True):
            parts.show_export(clip, heard, found, question)
        parts.show_sounds(heard, found, question)
        checks.show_trust(heard, found, question)
        checks.show_probe(heard)
