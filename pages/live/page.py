"""The way to the live microphone, which is a page of its own beside these."""

import streamlit as st

st.title("Live", anchor=False)
with st.spinner("Starting"):
    from ser_core.serving import LIVE_PATH, is_serving

st.markdown(
    "Speak, and read every half second which emotion a model hears in the last seconds and how sure it is, beside the "
    "level and the spectrogram. At the end: how much of your speech sounded like what, the recording to download, and "
    "the way to the page “Trajectory” with it."
)
if is_serving.is_set():
    st.link_button("Open the live microphone", f"{LIVE_PATH}/", icon=":material/graphic_eq:", type="primary")
    st.caption("It opens in a new tab. Sound goes from there to this machine only, and stays in memory.")
else:
    st.info(
        "The live microphone is served beside these pages by `make app`. Here only the pages run: "
        "stop the program and start it with `make app`, or `python -m scripts.serve`.",
        title="Not served here",
    )
    st.page_link("pages/record/page.py", label="Record & analyse takes up to a minute at once")
