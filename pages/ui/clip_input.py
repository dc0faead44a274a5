"""Inputs of the clip: record, upload, samples, a link. The latest choice replaces and empties the others."""

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import DeletedFile
from streamlit.typing import UploadedFile

from pages.ui.clip import forget, take
from pages.ui.components.recorder import recorder
from pages.ui.results import evaluated_at, utterances
from pages.ui.samples import SAMPLES, Voice, sample_list, voices
from pages.ui.session import UploadedSource, input_key, session
from pages.ui.text import corpus_actor, plain
from pages.ui.voice.sentences import SENTENCES
from ser_core.audio import AUDIO_SUFFIXES
from ser_core.data import (
    CORPUS_NAMES,
    SPEECH_CORPORA,
    CorpusError,
    ProtocolError,
    Utterance,
    corpora_root,
    read_corpora,
    training_speakers,
)
from ser_core.models import CheckpointError, available_models, read_metrics

WAYS = ("Record", "Upload", "Samples")  # an address may name one: /clip?from=Upload
FORMATS = [suffix.removeprefix(".") for suffix in AUDIO_SUFFIXES]
N_SENTENCES = 5  # that are shown


def choose_clip() -> None:
    """Draw the inputs; what the person chooses goes to clip.take."""
    unread = session().source  # it could not be read: the next one is chosen where this one was
    requested = "Upload" if unread and unread.kind == "upload" else st.query_params.get("from")
    record, upload, samples = st.tabs(WAYS, default=requested if requested in WAYS else None)
    with record:
        _record()
    with upload:
        _upload()
    with samples:
        _samples()


def _record() -> None:
    recorder(key=input_key("raw"), on_clip=take_recording)
    st.caption("Unprocessed microphone signal: echo cancellation, noise suppression and gain control are off.")
    with st.expander("Sentences to read"):
        st.markdown("\n".join(f"- {sentence}" for sentence, _ in SENTENCES[:N_SENTENCES]))
        st.caption("Neutral sentences: read each in an emotion of your choice.")
    with st.expander("The browser's own recorder"):
        st.caption("For browsers that cannot disable their processing. It changes loudness and timbre.")
        key = input_key("browser")
        st.audio_input(
            "Record with the browser's processing",
            sample_rate=48_000,
            key=key,
            on_change=_take_file,
            args=("browser", key),
        )
        show_expired_files(forget, key)


def _upload() -> None:
    key = input_key("upload")
    st.file_uploader("Sound file or video", type=FORMATS, key=key, on_change=_take_file, args=("upload", key))
    show_expired_files(forget, key)
    st.caption("The first 60 minutes are read.")


def _samples() -> None:
    _voices()
    _corpora()
    st.caption("Synthetic voices by espeak-ng, without any intended emotion:")
    with st.container(horizontal=True, gap="xsmall"):
        for sample in sample_list():
            key = f"sample-{sample['file']}"
            st.button(sample["title"], key=key, on_click=take_sample, args=(sample,))


def _voices() -> None:
    st.caption("Actors of CREMA-D whom the default models do not know. The label is hidden until you reveal it:")
    with st.container(horizontal=True, gap="xsmall"):
        for voice in voices():
            st.button(voice.title, key=f"voice-{voice.link}", on_click=take_voice, args=(voice,), help=voice.words)


def _corpora() -> None:
    """A random clip of an actor unseen by the chosen model; nothing without the corpora."""
    model = _chosen_model()
    try:
        unseen = _unseen(corpora_root(), model, evaluated_at(model)) if model else {}
    except CorpusError:
        return
    name = plain(model) if model else "the models"
    if not unseen:
        st.caption(f"Of the corpora, no actor is known to be unseen by {name}.")
        return
    st.caption(f"A random clip of an actor who is in no training or development part of {name}:")
    with st.container(horizontal=True, gap="xsmall"):
        for corpus, clips in unseen.items():
            st.button(CORPUS_NAMES[corpus], key=f"corpus-{corpus}", on_click=_take_one_of, args=(clips,))


def take_recording(wav: bytes, notes: tuple[str, ...]) -> None:
    take(UploadedSource("raw", "Your recording", wav, notes))


def _take_file(kind: str, key: str) -> None:
    file = st.session_state[key]
    if isinstance(file, UploadedFile):
        take(UploadedSource(kind, "Your recording" if kind == "browser" else file.name, file))
    elif session().source and session().source.kind == kind:  # a file that could not be read
        forget(keep=kind)  # the next one may be on its way to this input
    # A clip stays until Delete or the next one: without it the input moves, and a file on its way to it would be lost.


def show_expired_files(empty: Callable[[], None], *keys: str) -> None:
    """Say so where the browser still shows files of a session that has ended: after a restart, or a night away.

    Args:
        empty: makes these inputs new ones.
        keys: of inputs that are drawn.
    """
    values = [st.session_state[key] for key in keys]
    files = [file for value in values for file in (value if isinstance(value, list) else [value])]
    if not any(isinstance(file, DeletedFile) for file in files):
        return
    st.warning("The session of this audio has expired, so the audio is deleted. Choose it again.")
    st.button("Empty the list", on_click=empty, key=f"empty-{keys[0]}")


def take_sample(sample: dict) -> None:
    take(sample_source(sample))


def sample_source(sample: dict) -> UploadedSource:
    """A synthetic recording of the program."""
    name = f"{sample['title']} (synthetic, espeak-ng)"
    link = Path(sample["file"]).stem
    return UploadedSource("sample", name, str(SAMPLES / sample["file"]), words=sample["text"], link=link)


def take_voice(voice: Voice) -> None:
    take(voice_source(voice))


def voice_source(voice: Voice) -> UploadedSource:
    """A real voice that comes with the program."""
    return replace(utterance_source(voice.utterance, voice.link), words=voice.words)


def utterance_source(utterance: Utterance, link: str) -> UploadedSource:
    """A recording of a corpus, whose label is hidden.

    Args:
        link: for the address; "" where the utterance id, which has the label in it, would give it away.
    """
    name = corpus_actor(utterance)
    return UploadedSource("corpus", name, str(utterance.path), utterance=utterance, link=link)


def _take_one_of(utterances: list[Utterance]) -> None:
    take(utterance_source(random.choice(utterances), link=""))


def take_link(link: str) -> bool:
    """Make the sample or the recording of a corpus that an address names the clip; False where there is none."""
    for sample in sample_list():
        if Path(sample["file"]).stem == link:
            take_sample(sample)
            return True
    for voice in voices():
        if link in (voice.link, voice.utterance.id):
            take(voice_source(voice))
            return True
    found = next((u for u in utterances() if u.id == link), None)
    if found:
        take(utterance_source(found, link))
    return found is not None


def _chosen_model() -> str:
    """Its name, the first one before a choice, "" without any; the widget that chooses it may be drawn later."""
    names, chosen = available_models(), st.session_state.get("model")
    return chosen if chosen in names else next(iter(names), "")


@st.cache_resource(max_entries=16, show_spinner="Looking for the corpora")  # a copy for each run would take long
def _unseen(root: Path, model: str, evaluated: tuple) -> dict[str, list[Utterance]]:
    """Recordings of speakers that a model was not trained or tuned on, by corpus; none where that is not known.

    Args:
        evaluated: of the model, by evaluated_at.
    """
    try:
        metrics = read_metrics(model)
        known = training_speakers(metrics["protocol"], metrics["fold"])
    except (CheckpointError, KeyError, TypeError, ProtocolError):  # never evaluated, or metrics of another version
        return {}
    unseen: dict[str, list[Utterance]] = {corpus: [] for corpus in SPEECH_CORPORA}
    for utterance in read_corpora(root).utterances:
        if utterance.corpus in unseen and utterance.speaker not in known:
            unseen[utterance.corpus].append(utterance)
    return {corpus: clips for corpus, clips in unseen.items() if clips}
