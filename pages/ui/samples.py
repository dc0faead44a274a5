"""The synthetic recordings that come with the program. Light to import: Home shows them before anything else."""

import json

import streamlit as st

from ser_core import paths

SAMPLES = paths.SAMPLES


@st.cache_data
def sample_list() -> list[dict]:
    """file, title and text (transcript) of each."""
    return json.loads((SAMPLES / "samples.json").read_text())
