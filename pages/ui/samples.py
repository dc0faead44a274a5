"""The recordings that come with the program. Light to import: Home shows them before anything else."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import streamlit as st

from ser_core import paths
from ser_core.data import Utterance, parse_filename

SAMPLES = paths.SAMPLES
VOICES = SAMPLES / "crema_d"
SENTENCES = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}
"""Sentences of CREMA-D by their code in the file names (Cao et al. 2014)."""


@dataclass(frozen=True)
class Voice:
    """A clip of an actor whom the default models do not know."""

    link: str  # names it in an address, without its label
    title: str
    words: str
    utterance: Utterance


@st.cache_data
def sample_list() -> list[dict]:
    """file, title and text (transcript) of each synthetic one."""
    return json.loads((SAMPLES / "samples.json").read_text())


@dataclass(frozen=True)
class Example:
    """One of the voices with the prediction of the default model, made beforehand by scripts.make_samples."""

    voice: Voice
    model: str
    emotion: str
    confidence: float
    spectrogram: Path  # PNG


def example() -> Example | None:
    """None where it is not there, as in an installation without samples."""
    try:
        content = json.loads((VOICES / "example.json").read_text())
        voice = next(voice for voice in voices() if voice.utterance.path.name == content["file"])
    except (OSError, StopIteration):
        return None
    return Example(voice, content["model"], content["emotion"], content["confidence"], VOICES / "example.png")


@cache
def voices() -> tuple[Voice, ...]:
    """The clips of real voices, by speaker."""
    files = sorted(path for path in VOICES.glob("*_*_*_*") if path.is_file())
    return tuple(_voice(parse_filename(path)) for path in files)


def _voice(utterance: Utterance) -> Voice:
    speaker = utterance.speaker.split("-")[1]
    title = f"{'Woman' if utterance.sex == 'female' else 'Man'}, {utterance.age}, actor {speaker}"
    words = SENTENCES[utterance.sentence]
    return Voice(f"{speaker}_{utterance.sentence}", title, words, utterance)
