"""State of the listening test: eligible clips, guesses, and accuracy of the person and the models."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import streamlit as st

from pages.ui.model_picker import clip_parts, get_model
from pages.ui.results import utterances
from pages.ui.samples import SAMPLES, sample_list, voices
from pages.ui.session import PageState, session
from ser_core.audio import AudioError, load_audio, speech_segments
from ser_core.data import (
    SPEECH_CORPORA,
    CorpusError,
    ListenerVotes,
    Utterance,
    corpora_root,
    read_listener_votes,
)
from ser_core.inference import predict
from ser_core.labels import EMOTIONS
from ser_core.metrics import accuracy, confusion_matrix, uar
from ser_core.models import CheckpointError, functionals_cache

PERSON = "you"
LISTENERS = "one listener of CREMA-D"
ROUND = 10  # clips


@dataclass(frozen=True)
class Sample:
    """A synthetic recording without a label: it measures agreement, not accuracy."""

    id: str
    path: Path
    corpus: str  # its title
    emotion: str = ""


@dataclass(frozen=True)
class Guess:
    """One clip with its label, the person's answer and the predictions."""

    clip: str  # utterance id
    label: str  # "": a sample
    emotions: dict[str, str]  # by PERSON: the answer; by model: the prediction
    confidences: dict[str, float] = field(default_factory=dict)  # of the models
    listeners: float | None = None  # share of the corpus's listeners who chose the label; None without votes
    sound: Utterance | Sample | None = None

    @property
    def reference(self) -> str:
        """Reference label of the models' predictions."""
        return self.label or self.emotions[PERSON]


@dataclass
class ListeningState(PageState):
    """Clips drawn and guesses made in this session."""

    clip: Utterance | Sample | None = None
    drawn: set[str] = field(default_factory=set)  # ids of all clips so far, also of those that could not be used
    answer: str = ""  # the person's answer, before the models are run
    guesses: list[Guess] = field(default_factory=list)
    problem: str = ""  # why the latest clip could not be used
    shown: str = ""  # id of the clip that was shown last

    def contents(self) -> dict[str, int]:
        return {"answers in the listening test": len(self.guesses)}

    @property
    def round(self) -> list[Guess]:
        """The guesses of the round that the latest one is in."""
        return self.guesses[(len(self.guesses) - 1) // ROUND * ROUND :] if self.guesses else []

    @property
    def is_round_over(self) -> bool:
        return self.is_guessed and len(self.guesses) % ROUND == 0

    @property
    def is_guessed(self) -> bool:
        return bool(self.guesses) and self.clip is not None and self.guesses[-1].clip == self.clip.id


def listening_state() -> ListeningState:
    return session().page(ListeningState)


def restart() -> None:
    session().pages.pop(ListeningState, None)


def eligible_clips(models: Sequence[str]) -> list[Utterance | Sample]:
    """Recordings of speech that none of the models was trained or tuned on; synthetic ones without corpora and any.

    Args:
        models: at least one.

    Raises:
        CheckpointError: a model cannot be used.
    """
    allowed = frozenset.intersection(*(clip_parts(name)[2] for name in models))
    found = [u for u in recordings() if u.corpus in SPEECH_CORPORA and u.id in allowed]
    if found or utterances():
        return [*found]
    spoken = [sample for sample in sample_list() if sample["text"]]
    return [Sample(sample["file"], SAMPLES / sample["file"], sample["title"]) for sample in spoken]


def recordings() -> tuple[Utterance, ...]:
    """Recordings of the corpora; the real voices that come with the program where there are no corpora."""
    return utterances() or tuple(voice.utterance for voice in voices())


@st.cache_data(show_spinner=False)
def _votes() -> ListenerVotes:
    """Listeners' votes, where the corpora have them."""
    try:
        return read_listener_votes(corpora_root()) or {}
    except CorpusError:
        return {}


def listener_share(utterance_id: str, emotion: str) -> float | None:
    """Share of the listeners to the voice alone who chose an emotion; None without votes."""
    votes = _votes().get(utterance_id)
    return None if votes is None or not emotion else float(votes[EMOTIONS.index(emotion)])


def left(clips: Sequence[Utterance | Sample]) -> list[Utterance | Sample]:
    """Clips that were not drawn yet."""
    drawn = listening_state().drawn
    return [u for u in clips if u.id not in drawn]


def draw(clips: Sequence[Utterance | Sample]) -> None:
    """The next clip, of a corpus and an emotion drawn first: TESS would fill half of the test otherwise."""
    now, fresh = listening_state(), left(clips)
    now.clip = None
    if fresh:
        corpus, emotion = random.choice(sorted({(u.corpus, u.emotion) for u in fresh}))
        now.clip = random.choice([u for u in fresh if (u.corpus, u.emotion) == (corpus, emotion)])
        now.drawn.add(now.clip.id)


def drop_unusable(clips: Sequence[Utterance | Sample]) -> None:
    """Take back a clip whose file is gone, or which was drawn before a model was chosen that knows it."""
    now = listening_state()
    if now.clip and not now.clip.path.is_file():
        now.clip, now.problem = None, f"{now.clip.id} is no longer available."
    elif not now.is_guessed and now.clip not in clips:
        now.clip = None


def guess(emotion: str) -> None:
    """Keep the person's answer until the models are run."""
    listening_state().answer = emotion


def run_models(models: Sequence[str]) -> None:
    """Run the models, only after the person has answered. A clip that cannot be used is skipped and named."""
    now = listening_state()
    answer, now.answer = now.answer, ""
    try:
        waveform = load_audio(now.clip.path)
        speech = speech_segments(waveform)
        with functionals_cache():
            found = {name: predict(get_model(name), waveform, speech) for name in models}
    except (AudioError, CheckpointError) as error:
        now.clip, now.problem = None, f"{now.clip.id}: {error}"
        return
    now.problem = ""
    emotions = {PERSON: answer} | {name: prediction.emotion for name, prediction in found.items()}
    confidences = {name: prediction.confidence for name, prediction in found.items()}
    share = listener_share(now.clip.id, now.clip.emotion)
    now.guesses.append(Guess(now.clip.id, now.clip.emotion, emotions, confidences, share, now.clip))


def round_scores(guesses: Sequence[Guess]) -> dict[str, tuple[float, int]]:
    """Name -> (clips right, clips) of the person, the models and, on average, one listener of the corpus.

    Args:
        guesses: of clips with a label.
    """
    names = list(dict.fromkeys(name for g in guesses for name in g.emotions))
    taken = {name: [g for g in guesses if name in g.emotions] for name in names}
    scores = {name: (sum(g.emotions[name] == g.label for g in found), len(found)) for name, found in taken.items()}
    shares = [g.listeners for g in guesses if g.listeners is not None]
    return scores | ({LISTENERS: (sum(shares), len(shares))} if shares else {})


def matrix(guesses: Sequence[Guess], who: str) -> np.ndarray:
    """Counts, shape = (n_emotions, n_emotions): row label, column answer or prediction of `who`, where there is one."""
    pairs = [(EMOTIONS.index(g.reference), EMOTIONS.index(g.emotions[who])) for g in guesses if who in g.emotions]
    y_true, y_pred = np.array(pairs, int).reshape(-1, 2).T
    return confusion_matrix(y_true, y_pred, len(EMOTIONS))


def standings(guesses: Sequence[Guess]) -> list[dict]:
    """Accuracy and UAR of the person and of each model over the clips answered; without labels, of the models alone."""
    names = list(dict.fromkeys(name for g in guesses for name in g.emotions if name != PERSON or g.label))
    rows = []
    for name in names:
        counts = matrix(guesses, name)
        right = int(np.trace(counts))
        rows.append(
            {
                "who": name,
                "right": f"{right} of {int(counts.sum())}",
                "accuracy %": round(100 * float(accuracy(counts)), 1),
                "UAR %": round(100 * float(uar(counts)), 1),
            }
        )
    return rows


def table(guesses: Sequence[Guess]) -> list[dict]:
    """One row a clip, one column for the person and each model; empty without an answer."""
    names = list(dict.fromkeys(name for g in guesses for name in g.emotions))
    return [{"clip": g.clip, "label": g.label} | {name: g.emotions.get(name, "") for name in names} for g in guesses]
