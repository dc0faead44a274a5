"""Seven lessons on voices, features, layers and data, each on the clip of this session or on a sample; a test."""

import streamlit as st

st.title("Learn", anchor=False)
with st.spinner("Starting"):
    from pages.learn import progress, view
    from pages.learn.listening import round as listening
    from pages.ui.layout import result_place

LESSONS = view.LESSONS | {listening.TITLE: listening.show}

chosen = st.segmented_control(
    "Lesson",
    list(LESSONS),
    default=next(iter(LESSONS)),
    required=True,
    key=progress.KEY,
    bind="query-params",
    label_visibility="collapsed",
    wrap=True,
)
with result_place(chosen, "lesson")():  # not the lesson before, while this one is computed
    LESSONS[chosen]()
if chosen in view.LESSONS:
    progress.show(list(view.LESSONS), listening.TITLE, chosen)
