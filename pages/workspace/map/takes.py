"""Clips that the person keeps on the map, and labels for speaker adaptation."""

from dataclasses import dataclass, field, replace

import numpy as np

from pages.ui.analysis import PreparedClip, prepare_clip
from pages.ui.session import PageState, SessionClip, session
from pages.workspace import clip_bar
from pages.workspace.map.own_clips import EmbeddedClip, embed, embed_clip, space
from ser_core.models import CheckpointError


@dataclass(frozen=True, eq=False)
class Take:
    """A clip that the person keeps on the map, in every space that was looked at since."""

    clip: SessionClip
    prepared: PreparedClip  # as it was analysed when it was kept
    placed: dict[tuple[str, str], EmbeddedClip]  # by name and version of the space


@dataclass(frozen=True, eq=False)
class Labelled:
    """A clip with the emotion the person intended."""

    clip_id: str
    name: str
    emotion: str
    embedding: np.ndarray  # (embedding_dim,)


@dataclass
class TakesState(PageState):
    """Clips of the person: kept on the map, and labelled for speaker adaptation."""

    follows_clip = True
    takes: list[Take] = field(default_factory=list)
    labelled: dict[str, dict[str, Labelled]] = field(default_factory=dict)  # model -> clip id -> clip
    adapter_file: object = None  # uploaded by the person
    problem: str = ""

    def contents(self) -> dict[str, int]:
        n_labelled = sum(map(len, self.labelled.values()))
        return {"clips on the map": len(self.takes), "clips for speaker adaptation": n_labelled}

    def files(self) -> tuple[object, ...]:
        return (self.adapter_file,)


def takes_state() -> TakesState:
    return session().page(TakesState)


def takes() -> list[Take]:
    """Clips kept on the map in this session."""
    return takes_state().takes


def keep(clip: SessionClip) -> None:
    takes().append(Take(clip, prepare_clip(clip, clip_bar.settings()), {}))


def is_kept(clip: SessionClip) -> bool:
    """Whether the clip is kept as it is analysed now: a noise-reduced one is another."""
    prepared = prepare_clip(clip, clip_bar.settings())
    return any(take.prepared.id == prepared.id for take in takes())


def drop_takes() -> None:
    takes_state().takes = []


def all_placed(clip: SessionClip | None, name: str) -> list[EmbeddedClip]:
    """What the person kept, and the clip of this session if it is another one, in the space of a model."""
    kept = takes()
    try:
        key = space(name) if kept else ("", "")
        for number, take in enumerate(kept, 1):
            if key not in take.placed:
                made = embed_clip(take.clip, take.prepared, name)
                take.placed[key] = replace(made, name=f"{number}: {take.clip.name}", title=f"your clip {number}")
    except CheckpointError:
        return []
    one = embed(clip, name) if clip and not is_kept(clip) else None
    return [*(take.placed[key] for take in kept), *([one] if one else [])]
