"""What Home shows first: ways to a first answer, and what one looks like. Light to import: without torch."""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from pages.ui.components.hero import certainty, emotion_hero
from pages.ui.components.recorder import recorder
from pages.ui.samples import Voice, example, voices
from pages.ui.session import UploadedSource, input_key, session
from ser_core.audio import AUDIO_SUFFIXES

WORKSPACE = "pages/workspace/page.py"
ANY_SENTENCE = "Say any sentence, for example: “I have never seen that colour on a house.”"


def draw_head() -> None:
    st.title("Which emotion is in a voice?", anchor=False)
    st.markdown(
        "Speak a sentence: models predict its emotion, and show when, why and how often such an answer is right. "
        "Everything runs on your machine; your audio is kept in this session only."
    )


def show_recorder() -> None:
    with st.container(border=True):
        recorder(key=input_key("raw"), on_clip=_take_recording, hint=ANY_SENTENCE)


def show_upload() -> None:
    key = input_key("upload")
    st.file_uploader(
        "Or choose or drop a sound file or a video",
        AUDIO_SUFFIXES,
        key=key,
        on_change=_take_upload,
        args=(key,),
        width="stretch",
    )


def show_example() -> DeltaGenerator:
    """A real voice with its prediction, spectrogram and sound; the place for how often such a prediction is right."""
    found = example()
    if found is None:
        return st.container()
    voice = found.voice
    actor = {"female": "woman", "male": "man"}.get(voice.utterance.sex, "person")
    with st.container(border=True, key="example"):
        st.markdown(f"**An example:** a {actor} of {voice.utterance.age} says “{voice.words}”")
        st.image(found.spectrogram, width="stretch", alt="Mel spectrogram of the example")
        st.audio(voice.utterance.path, alt="The example")
        emotion_hero(found.emotion, certainty(found.confidence))
        expectation = st.container()
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute"):
            st.caption(f"Acted as: {voice.utterance.emotion}.", width="content")
            st.button(
                "Open the example", key="open-example", on_click=_open, args=(voice,), icon=":material/arrow_forward:"
            )
    return expectation


def show_voices() -> None:
    """The other voices that come with the program."""
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", key="voices"):
        st.markdown("Or a voice the models do not know:", width="content")
        for voice in voices():
            st.button(voice.title, key=f"voice-{voice.link}", on_click=_open, args=(voice,), help=voice.words)
    st.caption("Actors of CREMA-D (Cao et al. 2014, Open Database License 1.0). Their labels are hidden until you ask.")


def open_workspace() -> None:
    """Leaves for the workspace as soon as there is a clip to be analysed; not for one that could not be read there."""
    if session().is_waiting:
        st.switch_page(WORKSPACE, query_params={})


def _take_recording(wav: bytes, notes: tuple[str, ...]) -> None:
    _take(UploadedSource("raw", "Your recording", wav, notes))


def _take_upload(key: str) -> None:
    if file := st.session_state[key]:
        _take(UploadedSource("upload", file.name, file))


def _open(voice: Voice) -> None:
    from pages.ui.clip_input import take_voice  # not light

    take_voice(voice)


def _take(source: UploadedSource) -> None:
    from pages.ui.clip import take  # not light

    take(source)
