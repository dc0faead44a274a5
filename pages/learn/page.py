"""Seven lessons on voices, features, layers and data, each on the clip of this session or on a sample; a test."""

import streamlit as st

st.title("Learn", anchor=False)
with st.spinner("Starting"):
    from pages.learn import progress, view
    from pages.learn.listening import round as listening

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
LESSONS[chosen]()
if chosen in view.LESSONS:
    progress.show(list(view.LESSONS), chosen)
