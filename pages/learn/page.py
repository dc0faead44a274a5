"""Seven lessons on voices, features, layers and data, each on the clip of this session or on a sample."""

import streamlit as st

st.title("Learn", anchor=False)
with st.spinner("Starting"):
    from pages.learn import progress, view

chosen = st.segmented_control(
    "Lesson",
    list(view.LESSONS),
    default=next(iter(view.LESSONS)),
    required=True,
    key=progress.KEY,
    bind="query-params",
    label_visibility="collapsed",
    wrap=True,
)
view.LESSONS[chosen]()
progress.show(list(view.LESSONS), chosen)
