"""The live microphone, inside the page; a recording that it hands over becomes the clip."""

import streamlit as st

st.title("Live", anchor=False)
with st.spinner("Starting"):
    from pages.live.frame import live_frame
    from pages.live.voice import choose_voice
    from pages.ui.clip import take_live_recording
    from pages.ui.emotion import choose_emotions
    from pages.ui.session import session
    from ser_core.labels import describe_choice
    from ser_core.serving import LIVE_PATH, is_serving

if is_serving.is_set():
    st.caption("Predictions while you speak. Leaving this page ends the session; “Open in Clip” keeps its recording.")
    with st.popover("Options", icon=":material/tune:", key="live-options"):
        choose_emotions()
        st.caption("Takes effect with the next start.")
    if choice := describe_choice(session().possible_emotions):
        st.caption(f"Chosen {choice}.")
    live_frame(f"{LIVE_PATH}/", take_live_recording, choose_voice())
    if session().is_waiting and session().source.kind == "live":  # just handed over
        st.switch_page("pages/workspace/page.py", query_params={"view": "over_time"})
else:
    st.info(
        "`make app` serves the live microphone together with these pages. This server runs the pages only: "
        "stop the program and start it with `make app`, or `python -m scripts.serve`.",
        title="Not available on this server",
    )
    st.page_link("pages/workspace/page.py", label="Record up to a minute in Clip", icon=":material/graphic_eq:")
