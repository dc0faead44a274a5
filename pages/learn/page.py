"""Six lessons on features, layers and data, each on the clip of this session or on a sample."""

import streamlit as st

st.title("Learn", anchor=False)
with st.spinner("Starting"):
    from pages.learn import view

chosen = st.segmented_control(
    "Lesson",
    list(view.LESSONS),
    default=next(iter(view.LESSONS)),
    required=True,
    key="lesson",
    bind="query-params",
    label_visibility="collapsed",
    wrap=True,
)
view.LESSONS[chosen]()
