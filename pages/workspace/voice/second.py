"""The second clip: another sample, a file, the same sentence in another emotion, or one kept from before."""

import random
from dataclasses import replace

import streamlit as st

from pages.ui.clip import decode
from pages.ui.clip_input import FORMATS, sample_source, utterance_source, voice_source
from pages.ui.results import utterances
from pages.ui.samples import sample_list, voices
from pages.ui.session import LINK, SessionClip, UploadedSource, erase, input_key, received, session
from pages.ui.text import plain
from pages.workspace.voice.state import voice_state
from ser_core.audio import AudioError
from ser_core.data import Utterance
from ser_core.plots import emotion_label

MAX_OFFERED = 8  # recordings of the same sentence


def chosen_clip(clip: SessionClip) -> SessionClip | None:
    """The second clip, if there is one other than the first."""
    second = voice_state().second
    return second if second and second.id != clip.id else None


def draw_choice(clip: SessionClip) -> None:
    """Ways to a second clip; what to do next once this one is kept."""
    with st.container(border=True, key="second-clip"):
        if kept := voice_state().second:
            st.markdown(f"**{plain(kept.name)}** is kept as B. Choose another clip in the bar above: it becomes A.")
            _draw_removal()
            return
        st.subheader("Compare with a second clip", anchor=False)
        st.caption("Two spectrograms, both pitch contours in one chart, and the difference of the predictions.")
        _offer_same_sentence(clip)
        _offer_samples(clip)
        key = input_key("second")
        st.file_uploader("A file", FORMATS, key=key, on_change=_take_file, args=(key,))
        st.button(
            "Keep this clip, then choose another",
            icon=":material/push_pin:",
            on_click=_keep,
            args=(clip,),
            key="keep-second",
        )
        if problem := voice_state().problem:
            st.warning(plain(problem))
            voice_state().problem = ""


def _offer_samples(clip: SessionClip) -> None:
    """Real voices, then synthetic ones, without the clip itself."""
    real = [(voice.title, voice.link, voice_source(voice)) for voice in voices()]
    synthetic = [(sample["title"], sample["file"], sample_source(sample)) for sample in sample_list()]
    for about, offered in (("A real voice:", real), ("A synthetic voice:", synthetic)):
        if offered:
            st.caption(about)
        with st.container(horizontal=True, gap="xsmall"):
            for title, name, source in offered:
                if not clip.link or source.link != clip.link:
                    st.button(title, key=f"second-{name}", on_click=_take, args=(source,))


def draw_controls(clip: SessionClip) -> None:
    """What can be done with two clips, beside each other."""
    with st.container(horizontal=True, key="two-clips-controls"):
        st.button("Swap A and B", icon=":material/swap_horiz:", on_click=_swap, args=(clip,), key="swap-clips")
        _draw_removal()


def _draw_removal() -> None:
    st.button("Remove B", icon=":material/close:", on_click=_drop, key="drop-second")


def _offer_same_sentence(clip: SessionClip) -> None:
    """Recordings of the same speaker and sentence, where the corpora are there.

    Their emotions are named once the label of the clip is revealed: before, the missing one would give it away.
    """
    offered = same_sentence(clip.utterance) if clip.utterance else []
    if offered and session().revealed != clip.id:
        one = random.Random(clip.id).choice(offered)
        source = utterance_source(one, "")
        st.button("The same sentence in another emotion", key="second-any", on_click=_take, args=(source,))
    elif offered:
        st.caption("The same speaker and sentence, in another emotion:")
        with st.container(horizontal=True, gap="xsmall"):
            for utterance in offered:
                source = utterance_source(utterance, "")
                source = replace(source, name=f"{source.name}, {utterance.emotion}")
                label = emotion_label(utterance.emotion)
                st.button(label, key=f"second-{utterance.id}", on_click=_take, args=(source,))


def same_sentence(utterance: Utterance) -> list[Utterance]:
    """One recording for each other emotion."""
    found: dict[str, Utterance] = {}
    for other in utterances():
        alike = (other.speaker, other.corpus, other.sentence) == (
            utterance.speaker,
            utterance.corpus,
            utterance.sentence,
        )
        if alike and other.sentence and other.emotion != utterance.emotion:
            found.setdefault(other.emotion, other)
    return list(found.values())[:MAX_OFFERED]


def _take(source: UploadedSource) -> None:
    """A callback may not raise: the reason is shown with the choice."""
    try:
        voice_state().second = decode(source)
    except AudioError as error:
        voice_state().problem = f"{source.name}: {error}"


def _take_file(key: str) -> None:
    for file in received(key):
        _take(UploadedSource("upload", file.name, file))
        erase(file)
        session().rounds["second"] += 1


def _keep(clip: SessionClip) -> None:
    voice_state().second = clip


def _drop() -> None:
    voice_state().second = None


def _swap(clip: SessionClip) -> None:
    now = session()
    now.clip, voice_state().second = voice_state().second, clip
    now.full_clip = None
    st.query_params.pop(LINK, None)  # of the other clip
