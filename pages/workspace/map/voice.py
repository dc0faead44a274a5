"""Speaker adaptation: labelled clips of a person, the adapter fitted to them, its download and upload."""

import numpy as np
import streamlit as st

from pages.ui.export import offer_download
from pages.ui.model_picker import get_model
from pages.ui.session import session
from pages.ui.text import plain
from pages.workspace.map.own_clips import EmbeddedClip
from pages.workspace.map.takes import Labelled, takes_state
from ser_core.interpret import RAW_FEATURES
from ser_core.labels import EMOTIONS
from ser_core.models import MIN_ADAPTATION_CLIPS, Adapter, AdapterError, apply_adapter, fit_adapter
from ser_core.plots import emotion_label

MOST_MEGABYTES = 1  # of an adapter that is taken in


def labelled(name: str) -> dict[str, Labelled]:
    """By clip id, in the space of one model."""
    return takes_state().labelled.setdefault(name, {})


def adapter(name: str) -> Adapter | None:
    """What was learned or taken in for a model in this session."""
    return session().adapters.get(name)


def show_voice(name: str, clip_id: str, own: EmbeddedClip) -> None:
    """Everything about it, for one model and the clip of this session."""
    if name == RAW_FEATURES:
        return
    st.subheader("Speaker adaptation", anchor=False)
    st.caption(
        f"Label some of your clips, {MIN_ADAPTATION_CLIPS} or more of at least two emotions: the last layer "
        "of the model is then adapted to your voice. The adapter stays in this session, unless you download it."
    )
    _show_labels(name, clip_id, own)
    if takes_state().problem:
        st.error(plain(takes_state().problem))
        takes_state().problem = ""
    _show_adapter(name)
    _take_in(name)


def _show_labels(name: str, clip_id: str, own: EmbeddedClip) -> None:
    """The label of this clip, the clips that have one, and what can be done with them."""
    label = st.pills("Label of this clip", EMOTIONS, format_func=emotion_label, key=f"meant-{clip_id}", wrap=True)
    with st.container(horizontal=True):
        clip = label and Labelled(clip_id, own.name, label, own.embedding)
        st.button("Add this clip", on_click=_add, args=(name, clip), disabled=not label, key="add-voice")
        known = labelled(name)
        if known:
            st.button("Adapt the model", on_click=_learn, args=(name,), type="primary", key="learn-voice")
            st.button("Start again", on_click=_start_again, args=(name,), key="forget-voice")
    if known:
        rows = [{"clip": one.name, "label": emotion_label(one.emotion)} for one in known.values()]
        st.dataframe(rows, hide_index=True, alt="Your labelled clips")


def _add(name: str, clip: Labelled) -> None:
    labelled(name)[clip.clip_id] = clip


def _start_again(name: str) -> None:
    labelled(name).clear()
    session().adapters.pop(name, None)


def _learn(name: str) -> None:
    clips = list(labelled(name).values())
    try:
        found = fit_adapter(get_model(name), np.stack([c.embedding for c in clips]), [c.emotion for c in clips])
    except AdapterError as error:
        takes_state().problem = str(error)
        return
    session().adapters[name] = found


def _show_adapter(name: str) -> None:
    found = adapter(name)
    if found is None:
        return
    st.success(
        f"Leave-one-out accuracy on {found.n_clips} clips: {found.accuracy:.0%}; without "
        f"adaptation {found.accuracy_before:.0%}. To use it, switch on “Speaker adaptation” in the clip’s settings."
    )
    offer_download("Download the adapter", found.to_bytes(), f"{name}_adapter.safetensors", "application/octet-stream")


def _take_in(name: str) -> None:
    """An adapter that was downloaded before."""
    label = "Or upload an adapter that you downloaded before"
    file = st.file_uploader(label, ["safetensors"], key="adapter-file", max_upload_size=MOST_MEGABYTES)
    if file is None or takes_state().adapter_file == file:
        return
    takes_state().adapter_file = file
    try:
        if file.size > 1e6 * MOST_MEGABYTES:  # browsers may report another size
            raise AdapterError(f"A file of {file.size / 1e6:.0f} MB is not an adapter.")
        found = Adapter.from_bytes(file.getvalue())
        apply_adapter(get_model(name), found)
    except AdapterError as error:
        st.error(plain(str(error)))
        return
    session().adapters[name] = found
    st.rerun()
