"""The synthetic recordings that come with the program. Light to import: Home shows them before anything else."""

import json
from pathlib import Path

import streamlit as st

SAMPLES = Path(__file__).parent.parent / "assets" / "samples"


@st.cache_data
def sample_list() -> list[dict]:
    """file, title and text (what is said) of each."""
    return json.loads((SAMPLES / "samples.json").read_text())
