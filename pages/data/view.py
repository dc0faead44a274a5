"""Views of the page "Data". All but the recordings themselves comes from files of the repository."""

from collections import Counter, defaultdict

import streamlit as st

from pages.ui import results
from pages.ui.chart import chart
from pages.ui.clip_table import show_recording
from pages.ui.export import download_rows
from pages.ui.layout import opened, show_rows
from pages.ui.text import split_title
from ser_core.data import (
    CORPUS_LICENCES,
    CORPUS_NAMES,
    LEFT_OUT,
    PROTOCOLS,
    SPEAKER_OVERLAP,
    protocol_folds,
    protocol_split,
    read_protocol,
    split_name,
)
from ser_core.labels import EMOTIONS
from ser_core.plots import count_heatmap, emotion_boxplots, emotion_label

WORDS = {
    "ravdess": "24 actors from Toronto, two sentences, every emotion but neutral at two intensities.",
    "ravdess_song": "The same actors, but one, sing the same two sentences. No disgust, no surprise.",
    "crema_d": "91 actors of many origins, twelve sentences. Listeners rated the perceived emotion of each recording.",
    "tess": "Two women from Toronto, 200 words after “Say the word”. Studio quality, very regular.",
    "savee": "Four men from Surrey, fifteen sentences an emotion, thirty when neutral.",
    "hindi": "Eight speakers, ten sentences in every emotion, five sessions. One is 17 dB quieter, but for anger.",
    "emovo": "Six actors, fourteen Italian sentences in every emotion.",
    "turev": "Six speakers, 82 single Turkish words in four emotions; most clips are shorter than a second.",
    "ased": "Amharic: 47 speakers, two sentences in every emotion; listeners confirmed the label of each recording.",
}
HOW_TO_COUNT = (
    "With the recordings in `SER_CORPORA`: `python -m scripts.prepare_corpora`, then "
    "`python -m scripts.corpus_statistics`."
)
WALL_COLUMNS = 4
ALL_CORPORA, FIRST_CORPUS = "all", "crema_d"


def show_corpora(found: dict) -> None:
    """One row for each corpus."""
    st.markdown(
        "Corpora of **acted** speech: actors read given sentences in an instructed emotion, in quiet rooms. "
        "Models learn acted emotion from them. Four corpora are English, RAVDESS with speech and song; those in Hindi, "
        "Italian, Turkish and Amharic show what a model does in another language."
    )
    if not found:
        st.info(HOW_TO_COUNT, title="No corpus statistics yet")
        return
    rows = [_corpus_row(corpus, found) for corpus in found["clips"]]
    show_rows(rows, "Size, speakers, licence of each corpus", placeholder="unknown")
    with st.expander("About each corpus"):
        st.markdown("\n".join(f"- {CORPUS_NAMES[corpus]}: {WORDS[corpus]}" for corpus in found["clips"]))
    counted = Counter(u.corpus for u in results.utterances())
    other = [
        f"{row['corpus']} {counted[corpus]}"
        for corpus, row in zip(found["clips"], rows, strict=True)
        if counted[corpus] != row["clips"]
    ]
    if not counted:
        st.caption("No recordings found: set `SER_CORPORA` to their folder and restart.")
    elif other:
        st.caption(f"On this machine are other numbers of clips: {', '.join(other)}.")
    else:
        st.caption("All of these recordings are on this machine.")


def show_counts(found: dict) -> None:
    """Clips of each emotion, by corpus or by speaker."""
    st.subheader("Clips per emotion", anchor=False)
    by_speaker = st.selectbox(
        "Rows",
        ["corpora", *found["clips"]],
        format_func=lambda c: f"speakers of {CORPUS_NAMES.get(c)}" if c in CORPUS_NAMES else c,
        key="rows",
        bind="query-params",
    )
    if by_speaker == "corpora":
        counts = {CORPUS_NAMES[corpus]: row for corpus, row in found["clips"].items()}
    else:
        counts = _speakers(by_speaker)
    chart(count_heatmap(counts), key="counts", alt="Clips by row and emotion")
    st.caption("The colour is the share of the row.")


def _corpus_row(corpus: str, found: dict) -> dict:
    durations = [g for g in found["groups"] if (g["measure"], g["corpus"], g["sex"]) == ("duration_s", corpus, "all")]
    n_clips = sum(found["clips"][corpus].values())
    return {
        "corpus": CORPUS_NAMES[corpus],
        "clips": n_clips,
        "hours": round(sum(g["mean"] * g["n_clips"] for g in durations) / 3600, 2),
        "emotions": len(found["clips"][corpus]),
        "speakers": sum(found["speakers"][corpus].values()),
        **{f"{sex} speakers": _n_speakers(found["speakers"][corpus], sex) for sex in ("female", "male")},
        "licence": CORPUS_LICENCES[corpus],
    }


def _n_speakers(counts: dict[str, int], sex: str) -> int | None:
    """None where the sex of nobody is known."""
    return None if set(counts) == {"unknown"} else counts.get(sex, 0)


@st.cache_data
def _speakers(corpus: str) -> dict[str, dict[str, int]]:
    """Speaker -> emotion -> clips, from the protocol file that lists every clip."""
    counts: dict[str, Counter] = defaultdict(Counter)
    for row in read_protocol(LEFT_OUT):
        if row["corpus"] == corpus:
            counts[row["speaker"].split("-")[1]][row["emotion"]] += 1
    return {speaker: dict(counts[speaker]) for speaker in sorted(counts)}


SPREAD_COLUMNS = ("row", "emotion", "n_clips", "mean", "sd", "p5", "q1", "median", "q3", "p95")


def show_measure(found: dict) -> None:
    """Distribution of one acoustic measure by emotion."""
    st.subheader("Acoustic measures by emotion", anchor=False)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        name, corpus, apart = _choose_measure(found)
    groups = _groups(found, name, corpus, apart)
    if not groups:
        st.caption("The sex of these speakers is unknown: switch off “Split by sex”.")
        return
    measure = found["measures"][name]
    unit = f"{measure['title']} [{measure['unit']}]"
    alt = f"{unit} by emotion and corpus; the table below has the numbers."
    chart(emotion_boxplots(groups, unit), key="spread", numbers=False, alt=alt)
    st.caption(f"{measure['title']}: {measure['definition']}. Box: quartiles; whiskers: 5% and 95%.")
    if box := opened("Table", "spread-table"):
        with box:
            rows = [{column: group[column] for column in SPREAD_COLUMNS} for group in groups]
            st.dataframe(rows, hide_index=True, alt=f"{unit} in numbers")
            download_rows("Download the numbers", rows, f"{name}.csv")


def _groups(found: dict, measure: str, corpus: str, apart: bool) -> list[dict]:
    """Statistics of each emotion and corpus, by sex if they are apart; "row" names corpus and sex."""
    return [
        g | {"row": CORPUS_NAMES[g["corpus"]] + (f", {g['sex']}" if apart else "")}
        for g in found["groups"]
        if g["measure"] == measure and (g["sex"] != "all") == apart and corpus in (ALL_CORPORA, g["corpus"])
    ]


def _choose_measure(found: dict) -> tuple[str, str, bool]:
    """(measure, corpus or ALL_CORPORA, whether the sexes are apart)."""
    measures = found["measures"]
    name = st.selectbox(
        "Measure", list(measures), format_func=lambda m: measures[m]["title"], key="measure", bind="query-params"
    )
    groups = [g for g in found["groups"] if g["measure"] == name]
    known = list(dict.fromkeys(g["corpus"] for g in groups))
    start = known.index(FIRST_CORPUS) + 1 if FIRST_CORPUS in known else 0
    titles = {ALL_CORPORA: "all corpora"} | CORPUS_NAMES
    corpus = st.selectbox("Corpus", [ALL_CORPORA, *known], start, format_func=titles.get, key=f"corpus-{name}")
    if not {g["sex"] for g in groups} - {"all"}:
        return name, corpus, False
    return name, corpus, st.toggle("Split by sex", value=corpus != ALL_CORPORA, key=f"apart-{corpus}")


def show_voices() -> None:
    """One clip of each emotion by one speaker."""
    st.subheader("One speaker, every emotion", anchor=False)
    there = results.recordings()
    if not there:
        st.caption("Set `SER_CORPORA` and restart to see and play these clips.")
        return
    corpora = [corpus for corpus in CORPUS_NAMES if corpus in {u.corpus for u in results.utterances()}]
    with st.container(horizontal=True):
        corpus = st.selectbox("Corpus", corpora, format_func=CORPUS_NAMES.get, key="wall-corpus")
        speaker = st.selectbox("Speaker", _speakers(corpus), key=f"wall-{corpus}")
    clips = list(_one_of_each(corpus, speaker).items())
    for first in range(0, len(clips), WALL_COLUMNS):  # row by row: on a phone the emotions keep their order
        row = clips[first : first + WALL_COLUMNS]
        for column, (emotion, clip) in zip(st.columns(WALL_COLUMNS), row, strict=False):
            with column:
                _show_clip(emotion, clip, str(there[clip]) if clip in there else None)


@st.cache_data
def _one_of_each(corpus: str, speaker: str) -> dict[str, str]:
    """Emotion -> the first clip of this speaker, which in most corpora has the same words."""
    found: dict[str, str] = {}
    for row in read_protocol(LEFT_OUT):
        if row["speaker"] == f"{corpus.removesuffix('_song')}-{speaker}" and row["corpus"] == corpus:
            found.setdefault(row["emotion"], row["utterance"])
    return {emotion: found[emotion] for emotion in EMOTIONS if emotion in found}


def _show_clip(emotion: str, clip: str, path: str | None) -> None:
    st.markdown(f"**{emotion_label(emotion)}**")
    if path is None:
        st.caption(f"{clip} is not available.")
        return
    show_recording(clip, path)


def show_protocols() -> None:
    """Training and test speakers by protocol, and who is in both."""
    st.subheader("Training and test speakers by protocol", anchor=False)
    st.dataframe(
        _protocols(),
        hide_index=True,
        column_config={"mind": st.column_config.TextColumn("note", width="medium"), "test part": {"width": 300}},
        alt="Clips and speakers of each part, and the speakers in both",
    )
    st.caption(
        "Clips for training, development and test, counted from the split files in assets/protocols. Known speakers: "
        "test speakers that are in the training part too, so that the test is not speaker-independent. "
        f"“{split_title('resonet-redrawn')}” exists only to measure a leak."
    )


@st.cache_data
def _protocols() -> list[dict]:
    rows = []
    for protocol in PROTOCOLS:
        speaker = {row["utterance"]: row["speaker"] for row in read_protocol(protocol)}
        for fold in protocol_folds(protocol) or (None,):
            parts = protocol_split(protocol, fold)
            train, test = ({speaker[i] for i in ids} for ids in ((*parts.train, *parts.dev), parts.test))
            rows.append(
                {
                    "test part": split_title(split_name(protocol, fold)),
                    "train": len(parts.train),
                    "dev": len(parts.dev),
                    "test": len(parts.test),
                    "test speakers": len(test),
                    "known speakers": len(test & train),
                    "mind": SPEAKER_OVERLAP.get(protocol, ""),
                    "protocol in commands": split_name(protocol, fold),
                }
            )
    return rows
