"""The parts of the page "Why?"."""

import math
from collections.abc import Sequence

import numpy as np
import streamlit as st

from pages import _explaining
from pages._analysis import Answer, Hearing
from pages._chart import chart
from pages._components.player import player, track
from pages._explaining import Window
from pages._input import sample_list, take_sample
from pages._shared import Clip, model, remember
from ser_core.explain import (
    ATTENTION,
    GRAD_CAM,
    INTEGRATED_GRADIENTS,
    OCCLUSION,
    PATCH_BANDS,
    PATCH_S,
    SILENCE,
    SILENCE_S,
    Explanation,
    Question,
    can_be_shuffled,
    methods,
)
from ser_core.explain_figures import AGAINST, FOR, faithfulness_lines, probe_lines, relevance_map, where
from ser_core.inference import MIN_SPEECH_S
from ser_core.labels import EMOTIONS
from ser_core.masking import Faithfulness
from ser_core.plots import clock, named
from ser_core.probe import PROBES

ABOUT = {
    GRAD_CAM: "Grad-CAM (Selvaraju et al. 2017): which places of the last feature map raised the score. Quick and "
    "coarse, as that map has few cells.",
    OCCLUSION: f"Occlusion (Zeiler & Fergus 2014): what the score loses when a patch of {PATCH_BANDS} bands and "
    f"{PATCH_S:g} s takes the mean level of its bands.",
    INTEGRATED_GRADIENTS: "Integrated gradients (Sundararajan et al. 2017): what each cell adds on the way from "
    "silence to this sound. Fine, and grainy.",
    ATTENTION: "How often the model's self-attention looks at each moment: the mean over its heads, 1 is the average. "
    "It is the same for every emotion: it says where the model looked, not what for.",
    SILENCE: f"What the score loses when {SILENCE_S:g} s of the sound fall silent. It works with every model and knows "
    "no frequencies.",
}
SHOWS_THE_SOUND, PARTLY = 0.5, 0.25  # rank correlation with the maps of models that have learned nothing


def show_empty() -> None:
    st.subheader("Nothing to explain yet", anchor=False)
    st.markdown(
        "Record a few seconds of speech, upload a file or open a sample. You see which parts of the sound moved the "
        "model, hear only these parts or everything else, ask why it was not another emotion, and find out how far to "
        "trust the explanation and how the answer changes when the recording gets worse."
    )
    st.button("Open a sample", on_click=take_sample, args=(sample_list()[0],))


def show_no_speech(answer: Answer) -> None:
    st.info(
        f"{answer.prediction.speech_s:.1f} s of speech were found, and {MIN_SPEECH_S:g} s are needed. "
        "Record or choose another clip.",
        title="There is no answer to explain",
    )


def choose_window(clip: Clip, hearing: Hearing, answer: Answer) -> Window:
    """The clip's only window, or one of several."""
    st.text(clip.name)
    trajectory, place = answer.trajectory, 0
    if len(trajectory.start_s) > 1:
        place = st.selectbox(
            "Window",
            range(len(trajectory.start_s)),
            _explaining.telling(answer),
            format_func=lambda i: _window_name(answer, i),
            key=f"why-window {hearing.id} {trajectory.model}",
            help="What the model hears at once. A longer clip is heard in several windows.",
        )
    return _explaining.window(hearing, answer, place)


def _window_name(answer: Answer, i: int) -> str:
    trajectory = answer.trajectory
    times = f"{clock(trajectory.start_s[i])} to {clock(trajectory.end_s[i])}"
    if trajectory.speech_s[i] <= 0:
        return f"{times}, no speech"
    return f"{times}, {named(trajectory.emotions[i])} {trajectory.confidence[i]:.0%}"


def choose_question(heard: Window) -> tuple[Question, str]:
    """Which emotion, instead of which other one, and by which method."""
    why, why_not, how = st.columns(3)
    key = f"{heard.id} {heard.model}"
    with why:
        likeliest = EMOTIONS.index(heard.emotion)
        emotion = st.selectbox("Why", EMOTIONS, likeliest, format_func=named, key=f"why {key}")
    with why_not:
        others = [other for other in EMOTIONS if other != emotion]
        instead_of = st.selectbox(
            "Why not",
            others,
            None,
            format_func=named,
            placeholder="any other",
            key=f"why-not {key} {emotion}",
            help="Explains how far the score of one emotion is above that of the other. Leave it empty to explain the "
            "score itself.",
        )
    with how:
        method = st.selectbox("Method", methods(model(heard.model)), key=f"method {heard.model}")
    return Question(emotion, instead_of), method


def show_question(answer: Answer, heard: Window, question: Question) -> None:
    """What is asked, and what the model said."""
    st.subheader(f"Why {_asked(question)}?", anchor=False)
    chosen = [question.emotion, *([question.instead_of] if question.instead_of else [])]
    values = ", ".join(f"{named(emotion)} {heard.probabilities[emotion]:.0%}" for emotion in chosen)
    others = "" if heard.emotion in chosen else f" Its answer is {named(heard.emotion)}."
    unsure = " Of the whole clip it is not sure." if answer.prediction.abstain else ""
    st.markdown(f"{heard.model}, {clock(heard.start_s)} to {clock(heard.end_s)}: {values}.{others}{unsure}")


def _asked(question: Question) -> str:
    instead_of = f" and not {named(question.instead_of)}" if question.instead_of else ""
    return f"{named(question.emotion)}{instead_of}"


@st.fragment
def show_map(heard: Window, found: Explanation) -> None:
    """The map over the spectrogram, its profiles, and what it says in words."""
    words = where(found, heard.frontend, heard.start_s)
    spot = st.container()
    opacity = st.slider("Opacity of the map", 0, 100, 70, 5, format="%d %%", key="why-opacity")
    with spot:
        chart(
            relevance_map(found, _explaining.picture(heard), heard.frontend, heard.start_s, opacity / 100),
            key="why-map",
            alt=f"{found.method} over the spectrogram. {_summary(words)}",
        )
        signs = "" if found.method == ATTENTION else f', :color[■]{{foreground="{AGAINST}"}} speaks against it'
        st.caption(
            f':color[■]{{foreground="{FOR}"}} speaks for it{signs}. Above: summed over the frequencies, at the right: '
            "over time."
        )
    st.markdown(_summary(words))
    st.caption(ABOUT[found.method] + _completeness(found) + _limits(heard))


def _summary(words: str) -> str:
    return f"Half of what speaks for it lies {words}." if words else "Nothing here speaks for it."


def _completeness(found: Explanation) -> str:
    if found.gained is None:
        return ""
    return (
        f" The map sums to {found.relevance.sum():.2f}; from silence to this sound the score changed by "
        f"{found.gained:.2f}: {found.completeness_error:.1%} off."
    )


def _limits(heard: Window) -> str:
    if GRAD_CAM in methods(model(heard.model)):
        return ""
    return f" {heard.model} hears no spectrogram with bands to look at: this is the only method that it allows."


@st.fragment
def show_sounds(heard: Window, found: Explanation, question: Question) -> None:
    """Only what decided, or everything else, to hear; and what the model says to each."""
    st.subheader("Hear what decided", anchor=False)
    percent = st.slider(
        "Share of the spectrogram to keep, the most relevant parts first",
        5,
        95,
        20,
        5,
        format="%d %%",
        key="share",
    )
    key = (found.method, question, percent)
    parts = _explaining.sounds(heard, found, question, percent / 100)
    player(_explaining.tracks(heard, parts, heard.model, *key), heard.speech, key="why-player")
    answers = _explaining.answers(heard, parts, *key)
    with st.container(horizontal=True, gap="large"):
        for name in (_explaining.WHOLE, _explaining.DECIDED, _explaining.ELSE):
            values = answers[name]
            st.metric(f"{name}: {named(question.emotion)}", f"{values[question.emotion]:.0%}", width="content")
    likeliest = (f"{name.lower()}: {named(max(v, key=v.get))} {max(v.values()):.0%}" for name, v in answers.items())
    st.caption(
        f"The likeliest emotion of {'; '.join(likeliest)}. Sounds with holes are unlike all that the model has learned "
        "from: its answers to them are a test of the map, no finding about the voice."
    )


def show_trust(heard: Window, found: Explanation, question: Question) -> None:
    """Two tests of the map: against random parts of the sound, and against models that have learned nothing."""
    st.subheader("Can the map be trusted?", anchor=False)
    by_map, by_weights = st.columns(2, gap="large")
    with by_map:
        curves = _explaining.faithful(heard, found, question)
        verdict = _faithful_words(curves, question)
        chart(faithfulness_lines(curves, question.emotion), key="why-faithful", alt=verdict)
        st.caption(verdict)
    with by_weights:
        _show_sanity(heard, found, question)


def _faithful_words(curves: Faithfulness, question: Question) -> str:
    kept, kept_random = curves.kept.mean(), curves.kept_at_random.mean()
    removed, removed_random = curves.removed.mean(), curves.removed_at_random.mean()
    better = int(kept > kept_random) + int(removed < removed_random)
    words = ("It finds what decides no better than chance.", "One of the two tests speaks for it.", "It passes both.")
    return (
        f"{words[better]} Mean probability of {named(question.emotion)} with parts kept: {kept:.0%} by the map, "
        f"{kept_random:.0%} at random (more is better); with parts removed: {removed:.0%} and {removed_random:.0%} "
        "(less is better)."
    )


def _show_sanity(heard: Window, found: Explanation, question: Question) -> None:
    """On demand: it takes as long as several explanations."""
    if not can_be_shuffled(model(heard.model)):
        st.caption(f"{heard.model} is no network: it has no weights that could be shuffled.")
        return
    st.markdown("The same map for models whose weights are shuffled, and which therefore know nothing.")
    asked = st.button("Shuffle the weights", key="sanity")
    if not asked and not _explaining.is_known(*_explaining.sanity_key(heard, found, question)):
        return
    correlations = _explaining.sanity(heard, found, question)
    with st.container(horizontal=True, gap="large"):
        for i, value in enumerate(correlations):
            st.metric(f"Shuffle {i + 1}", "flat" if math.isnan(value) else f"{value:+.2f}", width="content")
    st.markdown(_sanity_words(correlations))
    st.caption(
        "Rank correlation (Spearman) of the two maps, after Adebayo et al. 2018. 0: they have nothing in common; "
        "1: they are the same. Flat: the shuffled model's map is the same everywhere."
    )


def _sanity_words(correlations: Sequence[float]) -> str:
    known = [abs(value) for value in correlations if not math.isnan(value)]
    strongest = max(known, default=0.0)
    if strongest >= SHOWS_THE_SOUND:
        return "**The map shows the sound more than the model**: one that knows nothing gives nearly the same."
    if strongest >= PARTLY:
        return "**The map depends on what was learned, in part**: some of it follows from the sound alone."
    return "**The map depends on what was learned**: models that know nothing give another one."


@st.fragment
def show_probe(heard: Window) -> None:
    """How the answer changes when the recording gets worse."""
    st.subheader("Would it say the same of a worse recording?", anchor=False)
    kind = st.segmented_control("Change the window", list(PROBES), key="probe")
    if kind is None:
        st.caption("Choose what happens to the sound. The model hears it again at each step.")
        return
    probe, probabilities = PROBES[kind], _explaining.probed(heard, kind)
    labels = list(heard.probabilities)
    chart(
        probe_lines(probe, probabilities, labels),
        key=f"probe-{kind}",
        alt=f"Probability of each emotion over {probe.title}. {_stays(probabilities, labels, heard)}",
    )
    st.caption(f"{probe.about} {_stays(probabilities, labels, heard)}")
    first = probe.values[0] if probe.harmless is None else probe.harmless
    value = st.select_slider(f"Hear it at this {probe.title}", probe.values, first, key=f"value-{kind}")
    waveform = _explaining.worse(heard, kind, value)
    drawn = remember(lambda: track(f"{kind} {value:g}", waveform, heard.id), heard.id, "worse track", kind, value)
    player([drawn], (), key="probe-player")
    row = probabilities[probe.values.index(value)]
    ranked = ", ".join(f"{named(labels[i])} {row[i]:.0%}" for i in np.argsort(-row)[:3])
    st.markdown(f"{heard.model} at this value: {ranked}.")


def _stays(probabilities: np.ndarray, labels: Sequence[str], heard: Window) -> str:
    same = sum(labels[i] == heard.emotion for i in probabilities.argmax(1))
    return f"At {same} of {len(probabilities)} values the answer is {named(heard.emotion)}, as without a change."
