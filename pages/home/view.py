"""Views of the page "Home" that are drawn first. Light to import: without torch."""

import streamlit as st

from pages.ui.samples import SAMPLES, sample_list

ANALYSE = "pages/workspace/page.py"
PURPOSES = {
    "workspace": "one clip: the answer, over time, why, all models, the map",
    "many_files": "many files, several models, one table",
    "live": "predictions while you speak, every half second",
    "listening": "you against the models, on real actors",
    "models": "results on unseen speakers, down to the clip; the model cards",
    "data": "the training corpora in numbers",
    "learn": "six interactive lessons",
    "training": "the training runs of this machine",
    "settings": "versions, memory, caches, code to copy",
}
"""Folder of a page -> its purpose; in the order of the navigation."""


def show_purpose() -> None:
    st.markdown(
        "Speak, upload a recording or pick a sample: several models predict, side by side, the emotion in the "
        "voice, with confidence and over time. Everything runs on your machine; your audio is kept in your session "
        "only."
    )


def show_ways_in() -> None:
    """Three ways to the first prediction."""
    with st.container(horizontal=True):
        if st.button("Record your voice", type="primary", icon=":material/mic:", key="record"):
            st.switch_page(ANALYSE)
        if st.button("Upload a file", icon=":material/upload:", key="upload"):
            st.switch_page(ANALYSE, query_params={"from": "Upload"})
    _show_samples()


def _show_samples() -> None:
    """One of them to play, and to take along."""
    titles = {sample["title"]: sample for sample in sample_list()}
    label = "Or a synthetic sample, made by espeak-ng"
    chosen = titles[st.pills(label, titles, default=next(iter(titles)), required=True, wrap=True)]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.audio(str(SAMPLES / chosen["file"]), alt=f"Sample: {chosen['title']}")
        if st.button("Analyse this sample", key="try", width="content"):
            _take_along(chosen)


def _take_along(sample: dict) -> None:
    with st.spinner("Starting"):
        from pages.ui.clip_input import take_sample
    take_sample(sample)
    st.switch_page(ANALYSE, query_params={"from": "Samples"})


def show_pages() -> None:
    """A link to every page, with what it is for."""
    with st.container(gap=None):
        for name, purpose in PURPOSES.items():
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                st.page_link(f"pages/{name}/page.py")
                st.caption(purpose, width="content")
