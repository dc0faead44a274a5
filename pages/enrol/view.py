"""Views of the page "My voice": the sentences to read, other ways to a clip, the clips, export and import."""

import json
from functools import partial

import streamlit as st

from pages.enrol.state import reading_state
from pages.ui.clip import CLIP_PAGE
from pages.ui.clip_input import FORMATS
from pages.ui.components.recorder import recorder
from pages.ui.emotion import coloured
from pages.ui.export import offer_download
from pages.ui.layout import same_decimals
from pages.ui.session import SessionClip, erase, input_key, received, session
from pages.ui.text import plain
from pages.ui.voice import clips
from pages.ui.voice.personal import voice_reference
from pages.ui.voice.sentences import SENTENCES
from pages.ui.voice.switch import draw_switch
from ser_core.audio import SAMPLE_RATE
from ser_core.evaluation import describe_enrolment, describe_plain_reading
from ser_core.inference import MAX_REFERENCE_CLIP_S, MIN_REFERENCE_CLIPS, SpeakerReferenceError
from ser_core.labels import EMOTIONS
from ser_core.models import models_with_emotions

RECORDER, FILES, REFERENCE = "voice-raw", "voice", "voice-reference"  # inputs
PLAINLY = "read-plainly"
MAX_REFERENCE_MB = 1
LABEL_HELP = {
    True: "How it was spoken, if you know: the reference is then the voice without the emotion.",
    False: "How it was spoken, if you know: to compare the predictions with.",
}
"""Whether the model uses the labels of reference clips -> what they are good for."""


def show_introduction(model: str | None) -> None:
    """What it is good for, with the measured gain."""
    if model is None:
        st.info(
            "No model here takes reference clips; whisper-prosonet does. Its folder belongs in checkpoints/.",
            title="No model for it",
        )
        return
    st.markdown(
        "Voices differ: one person's calm sounds like another's sadness. Read ten sentences, and predictions are "
        f"relative to your voice. {describe_enrolment(model)}"
    )
    is_ready = clips.n_clips(model) >= MIN_REFERENCE_CLIPS
    st.caption(f"{'' if is_ready else 'About two minutes. '}The clips stay in this session, on this machine.")


def show_state(model: str) -> None:
    """Whether the voice is ready, and its switch; how many clips are missing where there are too few."""
    if not clips.has_voice(model):
        return
    n_clips = clips.n_clips(model)
    missing = MIN_REFERENCE_CLIPS - n_clips
    with st.container(border=True, horizontal=True, vertical_alignment="center", key="voice-state"):
        if missing > 0:
            st.markdown(f"{missing} more {_clips(missing)} and your voice is ready; {n_clips} so far.")
        else:
            st.markdown(f"**Your voice is ready ({n_clips} {_clips(n_clips)}).**")
        draw_switch(model)
    if missing <= 0:
        _show_next(model)


def _show_next(model: str) -> None:
    """Whether the voice is used, and where: an imported one by its model alone."""
    by = "" if session().voice_clips else f" by {plain(model)}"
    used = f"Predictions{by} in Clip, Many files and Live are relative to it."
    unused = "Predictions do not use it yet: switch it on, here or in Clip, Many files and Live."
    with st.container(horizontal=True, vertical_alignment="center", key="voice-next"):
        st.caption(used if session().uses_voice else unused, width="content")
        if st.button("Go to Clip", icon=":material/graphic_eq:", key="to-clip"):
            st.switch_page(CLIP_PAGE, query_params={})


def _clips(n_clips: int) -> str:
    return "clip" if n_clips == 1 else "clips"


def show_reading(model: str) -> None:
    """One sentence at a time; a button instead where a voice is ready that was not read here."""
    state = reading_state()
    state.plainly = st.session_state.setdefault(PLAINLY, state.plainly)  # a widget's state ends with its page
    if not state.began and clips.n_clips(model) >= MIN_REFERENCE_CLIPS:
        st.button("Read sentences too", icon=":material/mic:", on_click=_go_to, args=(state.position,), key="read-too")
        return
    st.progress(
        state.position / len(SENTENCES), f"Sentence {min(state.position + 1, len(SENTENCES))} of {len(SENTENCES)}"
    )
    with st.container(border=True, key="reading"):
        if state.position < len(SENTENCES):
            _show_sentence(model, *SENTENCES[state.position])
            _show_steps(state.position)
        else:
            st.subheader("All sentences are read", anchor=False)
            st.button("Read them again", on_click=_go_to, args=(0,), key="read-again")


def _show_sentence(model: str, sentence: str, emotion: str) -> None:
    """How to read it, and the recorder."""
    emotion = _emotion_to_read(emotion)
    how = "plainly, as you speak every day" if emotion == "neutral" else f"as if you were {coloured(emotion)}"
    how = f"with {coloured(emotion)}" if emotion == "fear" else how
    st.markdown(f"Read {how}:")
    st.header(f"“{sentence}”", anchor=False)
    # A recorder for each: what is recorded while another sentence appears is of neither
    key = f"{input_key(RECORDER)}-{reading_state().position}-{emotion}"
    recorder(key=key, max_s=int(MAX_REFERENCE_CLIP_S), on_clip=partial(_read, sentence, emotion))
    if model in models_with_emotions():  # else a reference of neutral clips hides neutral speech
        st.toggle("Read all of them plainly", key=PLAINLY, help=describe_plain_reading(model) or None)


def _show_steps(position: int) -> None:
    """To the next sentence without reading this one, and back."""
    with st.container(horizontal=True):
        st.button("Skip", on_click=_go_to, args=(position + 1,), key="skip")
        if position:
            st.button("Back", on_click=_go_to, args=(position - 1,), key="back")


def _emotion_to_read(emotion: str) -> str:
    """The emotion of a sentence, or neutral for those who would rather not act."""
    return "neutral" if reading_state().plainly else emotion


def _go_to(position: int) -> None:
    state = reading_state()
    state.position, state.began = position, True


def _read(sentence: str, emotion: str, wav: bytes, notes: tuple[str, ...]) -> None:
    """The sentence was recorded: the next one is shown; without speech, the same again."""
    if clips.add_recording(sentence, wav, emotion):
        _go_to(reading_state().position + 1)
    session().rounds[RECORDER] += 1


def show_other_ways() -> None:
    """The latest clips of the session, files, and a voice that was exported before."""
    current, latest = session().clip, clips.latest_clips()
    if current and not clips.is_enrolled(current.id):
        _offer_clips("Add the current clip", [current], "add-current")
    if latest and latest != [current]:
        label = f"Add your last {len(latest)} clips" if len(latest) > 1 else "Add your last clip"
        _offer_clips(label, latest, "add-latest")
    key = input_key(FILES)
    st.file_uploader(
        "Clips of your voice", FORMATS, accept_multiple_files=True, key=key, on_change=_add_files, args=(key,)
    )
    key = input_key(REFERENCE)
    st.file_uploader(
        "A voice that you exported", ["json"], key=key, on_change=_import, args=(key,), max_upload_size=MAX_REFERENCE_MB
    )


def _offer_clips(label: str, offered: list[SessionClip], key: str) -> None:
    names = ", ".join(plain(clip.name) for clip in offered)
    st.button(label, icon=":material/add:", on_click=clips.add_clips, args=(offered,), key=key, help=names)


def _add_files(key: str) -> None:
    if files := received(key):
        clips.add_files(files)
        session().rounds[FILES] += 1


def _import(key: str) -> None:
    """A callback may not raise: the reason is shown below."""
    for file in received(key):
        try:
            clips.import_reference(file.getvalue())
            session().uses_voice = True
        except SpeakerReferenceError as error:
            clips.report_problem(f"{file.name}: {error}")
        erase(file)
        session().rounds[REFERENCE] += 1


def show_clips(model: str) -> None:
    """The clips with their labels, and the export."""
    known, state = session().voice_clips, clips.enrolment_state()
    if not clips.has_voice(model):
        return
    seconds = sum(len(waveform) for waveform in known.values()) / SAMPLE_RATE
    st.subheader(f"{len(known)} {_clips(len(known))}, {seconds:.0f} s" if known else "An imported voice", anchor=False)
    if known:
        _edit_clips(known, state, LABEL_HELP[model in models_with_emotions()])
    with st.container(horizontal=True, vertical_alignment="center"):
        _offer_export(model)
        st.button("Remove all", icon=":material/delete:", on_click=clips.remove_voice, key="clear-voice")


def _edit_clips(known: dict, state: clips.EnrolmentState, label_help: str) -> None:
    """A table in which labels are chosen and rows are removed."""
    ids = list(known)
    rows = [
        {
            "clip": state.names.get(clip_id, ""),
            "seconds": round(len(known[clip_id]) / SAMPLE_RATE, 1),
            "label": state.labels.get(clip_id, ""),  # with None, the first label changes the type: the next one is lost
            "remove": False,
        }
        for clip_id in ids
    ]
    columns = same_decimals(rows) | {"label": st.column_config.SelectboxColumn(options=EMOTIONS, help=label_help)}
    fixed, key = ["clip", "seconds"], f"clips-{hash(tuple(ids))}"
    edited = st.data_editor(rows, hide_index=True, disabled=fixed, column_config=columns, key=key, placeholder="")
    labels = state.labels | {i: row["label"] for i, row in zip(ids, edited, strict=True)}  # others are not in the voice
    state.labels = {i: label for i, label in labels.items() if label}
    if removed := [i for i, row in zip(ids, edited, strict=True) if row["remove"]]:
        clips.remove_clips(removed)
        st.rerun()


def _offer_export(model: str) -> None:
    try:
        reference = voice_reference(model)
    except SpeakerReferenceError as error:
        st.warning(plain(str(error)))
        return
    content = json.dumps(reference.to_dict())
    help_text = "A JSON file without audio: to import here, for `scripts.predict --reference`, and for the REST API."
    offer_download("Export", content, "my_voice.json", "application/json", help=help_text)
