"""Six short lessons on what a model hears and why it errs, each on the clip of this session or on a sample."""

import streamlit as st

from pages._frame import require_frame

require_frame(__file__)
st.title("Learn", anchor=False)
with st.spinner("Starting"):
    from pages import _learn_parts as parts

chosen = st.segmented_control(
    "Lesson",
    list(parts.LESSONS),
    default=next(iter(parts.LESSONS)),
    required=True,
    key="lesson",
    bind="query-params",
    label_visibility="collapsed",
    wrap=True,
)
parts.LESSONS[chosen]()
