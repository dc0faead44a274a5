"""Link to the live microphone, which is a web application of its own."""

import streamlit as st

st.title("Live", anchor=False)
with st.spinner("Starting"):
    from ser_core.serving import LIVE_PATH, is_serving

st.markdown(
    "Speak, and see every half second the predicted emotion of the last seconds with its confidence, next to the "
    "level and the spectrogram. At the end: the share of your speech by emotion, the recording to download, and "
    "a link to open it on the page Clip."
)
if is_serving.is_set():
    st.link_button("Open the live microphone", f"{LIVE_PATH}/", icon=":material/graphic_eq:", type="primary")
    st.caption("It opens in a new tab. Sound goes from there to this machine only, and stays in memory.")
else:
    st.info(
        "`make app` serves the live microphone together with these pages. This server runs the pages only: "
        "stop the program and start it with `make app`, or `python -m scripts.serve`.",
        title="Not available on this server",
    )
    st.page_link("pages/workspace/page.py", label="The page Clip takes up to a minute at once")
