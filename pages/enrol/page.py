"""My voice: enrolment of one speaker by ten sentences, clips or files; what it changes; export and import."""

import streamlit as st

st.title("My voice", anchor=False)
with st.spinner("Starting"):
    from pages.enrol import comparison, view
    from pages.enrol.state import enrolling_model
    from pages.ui.voice import clips

model = enrolling_model()
view.show_introduction(model)
if model:
    view.show_state(model)
    reading, others = st.columns([1.5, 1], gap="medium")
    with reading:
        view.show_reading(model)
    with others:
        view.show_other_ways()
    clips.show_problems_of_clips()
    view.show_clips(model)
    comparison.show_comparison(model)
