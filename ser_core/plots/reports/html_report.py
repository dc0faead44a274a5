"""A report of one clip or of many: one HTML file with figures and sound, which opens without the program."""

import base64
import html
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

import numpy as np
from plotly import graph_objects as go

from ser_core.audio import SAMPLE_RATE, SpeechSegments, encode_wav
from ser_core.data import corpus_name
from ser_core.evaluation import (
    INTENDED_USE,
    citation_bibtex,
    code_version,
    describe_expected_accuracy,
    measured_reference,
)
from ser_core.inference import NO_SPEECH, Prediction, Trajectory, label_in_words, prediction_label, source_and_mood
from ser_core.interpret import VOICE_GROUPS, VOICE_MEASURES, VoiceGroup
from ser_core.labels import EMOTION_STYLES, EMOTIONS, describe_choice, format_probability
from ser_core.plots.clip.bars import probability_bars
from ser_core.plots.clip.trajectory import trajectory_lines
from ser_core.plots.heatmaps import confusion_heatmap
from ser_core.plots.reports.figures import fit_to_report, label_count_bars, sound_timeline
from ser_core.plots.style import emotion_label, format_duration, label_colour
from ser_core.plots.voice import NamedVoice, format_measure, voice_strips

PAGE = Template((Path(__file__).parent / "report.html").read_text())
MAX_SOUND_S = 600.0  # in all clips of a report: 26 MB
REFERENCES = {
    "clips": "{n} reference clip{s} of the speaker",
    "recording": "the recording itself",
    "running": "the speech so far",
    "collection": "{n} recordings of one kind, of any speaker",
}
"""Source of a reference -> what the prediction is relative to."""
REFERENCE_FLAGS = {
    "clips": " --reference voice.json",
    "recording": " --reference recording",
    "collection": " --reference together",
}


@dataclass(frozen=True, eq=False)
class ReportClip:
    """One clip and what was computed from it."""

    name: str
    waveform: np.ndarray  # 16 kHz, shape = (n_samples,)
    speech: SpeechSegments
    prediction: Prediction
    trajectory: Trajectory
    min_confidence: float  # abstention threshold of the model
    metrics: Mapping = field(default_factory=dict)  # of the model, on unseen speakers
    voice: Mapping[str, float] = field(default_factory=dict)  # measure_voice()
    voice_group: VoiceGroup | None = None  # whose ranges are shown
    voice_source: str = ""  # VoiceRanges.source
    file: str = "FILE"  # argument of the command that reproduces the prediction, quoted for a shell


@dataclass(frozen=True, eq=False)
class ReportRow:
    """One file of a batch."""

    name: str
    prediction: Prediction
    load: Callable[[], np.ndarray] | None = None  # gives the waveform, 16 kHz; None where it is not kept
    label: str = ""  # emotion, where it is known


@dataclass(frozen=True, eq=False)
class LabelScores:
    """The predictions of a batch against its labels."""

    rows: Sequence[Mapping[str, object]]  # of a table, at least one; all have the same columns
    confusion: np.ndarray  # counts, shape = (n_emotions, n_emotions): row label, column prediction
    note: str = ""


def clip_report(clip: ReportClip) -> str:
    """HTML of one clip: answer, sound, timeline, probabilities, voice, model, limits, command, citation."""
    wav = _sound(clip.waveform, "clip") if len(clip.waveform) <= MAX_SOUND_S * SAMPLE_RATE else ""
    figures = _Figures()
    parts = [
        _answer(clip.prediction, clip.metrics),
        wav or "<p class=quiet>The sound is too long to be part of this file.</p>",
        f'<div id="timeline">{figures.draw(sound_timeline(clip.waveform))}</div>',
        "<p class=quiet>A click in the picture plays from there; drag to zoom, double-click to see all.</p>",
        _section("Probabilities", figures.draw(probability_bars(clip.prediction, clip.min_confidence or None))),
    ]
    if len(clip.trajectory.start_s) > 1:
        parts.append(_section("Over time", figures.draw(trajectory_lines(clip.trajectory, clip.prediction.duration_s))))
    if clip.voice:
        parts.append(_section("Voice", _voice(clip, figures)))
    parts += _model_sections(clip.prediction, clip.metrics, clip.file, " --windows")
    return _page(clip.name, parts)


def batch_report(title: str, rows: Sequence[ReportRow], metrics: Mapping, scores: LabelScores | None = None) -> str:
    """HTML of many files: how many of each emotion, then a table with the sound of each, the doubtful ones first.

    Files without speech come last, as they have no prediction.

    Args:
        title: of the batch.
        rows: of one model, at least one.
        metrics: of the model, on unseen speakers.
        scores: against the labels; None without labels.
    """
    ordered = sorted(rows, key=lambda row: (_is_silent(row.prediction), row.prediction.confidence))
    labels, figures = [prediction_label(row.prediction) for row in rows], _Figures()
    counts = _paragraph(_chosen_among(rows[0].prediction)) + figures.draw(label_count_bars(labels))
    parts = [_section("1 file" if len(rows) == 1 else f"{len(rows)} files", counts)]
    if scores:
        parts.append(_section("Against the labels", _against_labels(scores, figures)))
    parts.append(_section("Files, the least certain first", _table(ordered)))
    return _page(title, [*parts, *_model_sections(rows[0].prediction, metrics, "FILE...")])


class _Figures:
    """Draws figures; the first one brings plotly.js along."""

    def __init__(self) -> None:
        self.drawn = 0

    def draw(self, figure: go.Figure) -> str:
        fit_to_report(figure)
        self.drawn += 1
        config = {"displaylogo": False, "responsive": True}
        return figure.to_html(full_html=False, include_plotlyjs=self.drawn == 1, config=config)


def _page(title: str, parts: Iterable[str]) -> str:
    about = f"Speech emotion workbench, version {code_version()}."
    return PAGE.substitute(title=html.escape(title), about=html.escape(about), body="\n".join(parts))


def _section(title: str, content: str) -> str:
    return f"<h2>{html.escape(title)}</h2>\n{content}"


def _paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>" if text else ""


def _preformatted(text: str) -> str:
    return f"<pre>{html.escape(text)}</pre>"


def _answer(prediction: Prediction, metrics: Mapping) -> str:
    label = prediction_label(prediction)
    certain = prediction.reason
    if label in EMOTION_STYLES:
        certain = f"{format_probability(prediction.confidence)} confidence"
    used = measured_reference(prediction.reference_clips, prediction.reference_source, prediction.reference_note)
    choice = prediction.familiarity, used, prediction.possible_emotions
    expected = describe_expected_accuracy(prediction.model, dict(metrics), *choice)
    about = [certain, expected, _chosen_among(prediction), _reference(prediction), prediction.reference_note]
    style = f"border-left: 0.5rem solid {label_colour(label)}; padding-left: 0.75rem"
    return f'<p class="answer" style="{style}">{html.escape(emotion_label(label))}</p>{"".join(map(_paragraph, about))}'


def _chosen_among(prediction: Prediction) -> str:
    """Among which emotions the model chose; "" where these are all."""
    choice = describe_choice(prediction.possible_emotions)
    return choice and f"Chosen {choice}: no other was expected."


def _reference(prediction: Prediction) -> str:
    n_clips = prediction.reference_clips
    plural = "" if n_clips == 1 else "s"
    source, mood = source_and_mood(prediction.reference_source)
    described = REFERENCES[source].format(n=f"{n_clips} {mood}".rstrip(), s=plural) if n_clips else ""
    return f"Relative to {described}." if described else ""


def _sound(waveform: np.ndarray, kind: str) -> str:
    content = base64.b64encode(encode_wav(waveform)).decode()
    return f'<audio class="{kind}" controls preload="metadata" src="data:audio/wav;base64,{content}"></audio>'


def _voice(clip: ReportClip, figures: _Figures) -> str:
    """Strips where there are ranges, and a table."""
    rows = [
        [VOICE_MEASURES[name].title, format_measure(name, value), VOICE_MEASURES[name].definition]
        for name, value in clip.voice.items()
    ]
    table = _html_table(["measure", "value", "definition"], rows)
    if clip.voice_group is None:
        return table
    drawn = figures.draw(voice_strips([NamedVoice(clip.name, clip.voice, clip.voice_group)]))
    about = f"Normal: 5th to 95th percentile of {VOICE_GROUPS[clip.voice_group.sex]}. {clip.voice_source}"
    about = f"{about} {clip.voice_group.pauses}"
    return f"{drawn}{_paragraph(about)}<details><summary>Definitions</summary>{table}</details>"


def _against_labels(scores: LabelScores, figures: _Figures) -> str:
    table = _html_table(list(scores.rows[0]), [list(map(str, row.values())) for row in scores.rows])
    drawn = figures.draw(confusion_heatmap(scores.confusion.tolist(), EMOTIONS, counts=True))
    return f"{table}{_paragraph(scores.note)}{drawn}"


def _is_silent(prediction: Prediction) -> bool:
    return prediction_label(prediction) == NO_SPEECH


def _emotion_cell(label: str) -> str:
    """Symbol and name, which stay on one line of a narrow screen."""
    return emotion_label(label).replace(" ", "\N{NO-BREAK SPACE}") if label else ""


def _prediction_cells(row: ReportRow) -> list[str]:
    """Prediction, confidence and duration; no confidence without speech."""
    found = row.prediction
    named = label_in_words(prediction_label(found), _emotion_cell(found.emotion))
    answer = [NO_SPEECH, ""] if _is_silent(found) else [named, format_probability(found.confidence)]
    return [*answer, format_duration(found.duration_s)]


def _table(rows: Sequence[ReportRow]) -> str:
    """A row for each file; the sound as long as there is room for it."""
    cells, left_s = [], MAX_SOUND_S
    labelled = any(row.label for row in rows)
    for row in rows:
        fits = row.load is not None and row.prediction.duration_s <= left_s
        sound = _sound(row.load(), "file") if row.load and fits else ""
        left_s -= row.prediction.duration_s if fits else 0
        cells.append([row.name, *[_emotion_cell(row.label)] * labelled, *_prediction_cells(row), sound])
    sounds = "sound" if any(row[-1] for row in cells) else ""
    head = ["file", *["label"] * labelled, "prediction", "confidence", "duration", sounds]
    return _html_table(head, cells, raw=len(head) - 1)


def _html_table(head: Sequence[str], rows: Iterable[Sequence[str]], raw: int | None = None) -> str:
    """Cells are escaped, those of the column `raw` are HTML."""
    titles = "".join(f"<th>{html.escape(text)}</th>" for text in head)
    lines = [
        "<tr>" + "".join(f"<td>{text if i == raw else html.escape(text)}</td>" for i, text in enumerate(row)) + "</tr>"
        for row in rows
    ]
    return f'<div class="scroll"><table><thead><tr>{titles}</tr></thead><tbody>{"".join(lines)}</tbody></table></div>'


def _model_sections(prediction: Prediction, metrics: Mapping, files: str, options: str = "") -> list[str]:
    """The model with its results, the limits, the command for these files with its options, and how to cite."""
    use = INTENDED_USE.replace("**", "").split("\n\n")
    named = f"{prediction.model}, version {prediction.version}" if prediction.version else prediction.model
    differs = prediction.reference_clips or prediction.possible_emotions != EMOTIONS
    without = "These figures are of predictions without a reference, among all emotions." if differs and metrics else ""
    sections = [_section("Model", _paragraph(named) + _results(metrics) + _paragraph(without))]
    sections.append(_section("Limits", "".join(map(_paragraph, use))))
    flags = REFERENCE_FLAGS.get(source_and_mood(prediction.reference_source)[0], "")
    if prediction.possible_emotions != EMOTIONS:
        flags += f" --emotions {','.join(prediction.possible_emotions)}"
    command = f"python -m scripts.predict {files} --model {prediction.model}{options}{flags}"
    sections.append(_section("Reproduce", _preformatted(command)))
    if entry := citation_bibtex():
        sections.append(_section("Cite", _preformatted(entry)))
    return sections


def _results(metrics: Mapping) -> str:
    """On unseen speakers, by corpus, as in the model card."""
    if not metrics:
        return ""
    rows = [
        [corpus_name(name), str(found["n_clips"]), str(found["n_speakers"]), f"{found['uar']:.1%}"]
        for name, found in metrics["corpora"].items()
    ]
    return _html_table(["corpus, unseen speakers", "clips", "speakers", "UAR"], rows)
