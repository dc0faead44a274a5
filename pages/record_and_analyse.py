"""Record, upload or pick one clip: what was heard, which emotion a model hears in it, how sure it is, and when."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Record & analyse", anchor=False)
with st.spinner("Starting"):  # torch takes seconds to import, once per server
    from pages import _analysis, _feedback, _result
    from pages._input import choose_clip
    from pages._shared import chosen, current_clip, slot
    from ser_core.audio import AudioError
    from ser_core.models import AdapterError, CheckpointError

inputs, results = st.columns([1, 2.3], gap="large")
with inputs:
    choose_clip()
    settings = _analysis.choose_settings(has_clip=chosen() is not None)
    st.caption("Everything runs on your machine. Your audio is kept in this session only.")

with results:
    shown, work = slot(settings), st.container()

with work:
    clip = hearing = answer = others = problem = None
    try:
        clip = current_clip()
        if clip:
            hearing = _analysis.hear(clip, settings)
            others = _analysis.all_answers(hearing) if settings.all_models else None
            answer = _analysis.answer(hearing, settings.model, settings.my_voice)
    except (AudioError, CheckpointError, AdapterError) as error:
        problem = error

with shown():
    if hearing:
        _result.show_clip(clip, hearing, answer)
    if problem:
        _result.show_problem(problem, None if clip else chosen().name)
        if others:
            _result.show_side_by_side(*others)
    elif answer:
        _result.show_answer(clip, answer)
        _feedback.show_feedback(clip, answer)
        if others:
            _result.show_side_by_side(*others)
        _result.show_export(clip, hearing, answer)
    elif hearing:
        _result.show_no_model()
    else:
        _result.show_empty()
