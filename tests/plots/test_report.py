"""Reports: complete in one file, safe with any file name."""

import re
from dataclasses import replace

import numpy as np
import pytest

from ser_core.inference import Prediction, Trajectory
from ser_core.interpret import load_voice_ranges
from ser_core.labels import EMOTIONS
from ser_core.plots import LabelScores, ReportClip, ReportRow, batch_report, clip_report
from ser_core.plots.heatmaps import confusion_heatmap
from ser_core.plots.reports.figures import fit_to_report
from tests.make_corpus import voice

NAME = "<script>alert(1)</script>.wav"
METRICS = {"corpora": {"tess": {"n_clips": 10, "n_speakers": 1, "uar": 0.5}}}


def prediction(emotion: str = "angry", confidence: float = 0.8, **changes) -> Prediction:
    rest = (1 - confidence) / 7
    probabilities = {name: confidence if name == emotion else rest for name in EMOTIONS}
    settings = {"abstain": False, "reason": "", "duration_s": 2.4, "speech_s": 2.0, "start_s": 0.0, "end_s": 2.4}
    settings["top3"] = tuple(sorted(probabilities.items(), key=lambda item: -item[1])[:3])
    return Prediction("small", emotion, confidence, probabilities, **settings | changes)


def clip(**changes) -> ReportClip:
    found = prediction(**changes)
    windows = np.tile(list(found.probabilities.values()), (3, 1))
    start_s = np.arange(3.0)
    trajectory = Trajectory("small", EMOTIONS, start_s, start_s + 1, windows, np.ones(3), 1.0, 1.0)
    group = load_voice_ranges().group("female")
    return ReportClip(
        NAME, voice(200, 0, 2.4), ((0.0, 2.4),), found, trajectory, 0.4, METRICS, {"f0_hz": 200.0}, group, "Source."
    )


def test_a_report_of_a_clip_needs_no_other_file():
    page = clip_report(clip())
    assert NAME not in page and "&lt;script&gt;alert(1)" in page
    assert page.count("data:audio/wav;base64,") == 1 and page.count("plotly-graph-div") == 4
    assert (
        page.count('"automargin":true') > 3
        and "✚ angry" in page
        and "@software{" in page
        and "--model small" in page
        and "Source." in page
    )
    assert '"x0":0.4,"x1":0.4' in page and "95th percentile of women." in page  # the threshold, the ranges
    assert "<td>TESS</td><td>10</td><td>1</td><td>50.0%</td>" in page
    markup = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.findall(r'(?:src|href)="(?!data:)', markup)  # nothing to load


@pytest.mark.parametrize(
    ("changes", "shown"), [({"abstain": True, "reason": "Doubt."}, "not sure"), ({"speech_s": 0.0}, "no speech")]
)
def test_a_report_names_no_emotion_where_the_model_does_not(changes, shown):
    assert re.search(rf'class="answer"[^>]*>{shown}', clip_report(clip(**changes)))


def test_a_report_names_the_file_to_reproduce():
    assert "scripts.predict FILE --model small" in clip_report(clip())
    assert "scripts.predict mine.wav --model small" in clip_report(replace(clip(), file="mine.wav"))


def test_a_report_says_among_which_emotions_the_model_chose():
    page = clip_report(clip(possible_emotions=("neutral", "angry")))
    assert "Chosen among neutral and angry: no other was expected." in page and "--emotions neutral,angry" in page
    assert "among all emotions" in page and "among all emotions" not in clip_report(clip())
    assert "Chosen among" not in clip_report(clip()) and "--emotions" not in clip_report(clip())
    batch = batch_report("title", [ReportRow("a.wav", prediction(possible_emotions=("neutral", "angry")))], METRICS)
    assert "Chosen among neutral and angry" in batch
    assert "Chosen among" not in batch_report("title", [ReportRow("a.wav", prediction())], METRICS)


def test_a_report_says_what_its_prediction_is_relative_to():
    used = {"reference_clips": 8, "reference_source": "clips", "reference_note": "This recording is far."}
    page = clip_report(clip(**used))
    assert "Relative to 8 reference clips of the speaker." in page and "This recording is far." in page
    assert "--windows --reference voice.json" in page and "without a reference" in page
    assert "Relative to 1 reference clip of" in clip_report(clip(**used | {"reference_clips": 1}))
    of_one_mood = clip_report(clip(**used | {"reference_source": "everyday clips"}))
    assert "Relative to 8 everyday reference clips of the speaker." in of_one_mood
    assert "--reference voice.json" in of_one_mood
    alone = clip_report(clip())
    assert "Relative to" not in alone and "--reference" not in alone and "without a reference" not in alone


def test_a_report_of_a_batch_begins_with_the_doubtful_files(monkeypatch):
    def load() -> np.ndarray:
        return voice(200, 0, 2.4)

    rows = [ReportRow("sure.wav", prediction(confidence=0.9), load), ReportRow("doubt.wav", prediction(), load)]
    page = batch_report(NAME, [*rows, ReportRow("gone.wav", prediction("sad"))], METRICS)
    assert NAME not in page and page.count("data:audio/wav") == 2
    assert re.findall(r"<td>(\w+)\.wav", page) == ["doubt", "gone", "sure"]
    monkeypatch.setattr("ser_core.plots.reports.html_report.MAX_SOUND_S", 3.0)
    short = ReportRow("short.wav", prediction(confidence=0.95, duration_s=0.5), load)  # there is room for it
    assert batch_report("title", [*rows, short], METRICS).count("data:audio/wav") == 2


def test_a_report_of_a_batch_shows_what_the_page_shows_of_each_file():
    doubt = ReportRow("doubt.wav", prediction(confidence=0.3, abstain=True, reason="Doubt."))
    silent = ReportRow("silent.wav", prediction(confidence=0.2, speech_s=0.0, abstain=True, reason="No speech."))
    page = batch_report("title", [silent, doubt], METRICS)
    cells = re.findall(r"<td>(.*?)</td>", page.replace("\N{NO-BREAK SPACE}", " "))
    assert cells[:5] == ["doubt.wav", "not sure (✚ angry)", "30%", "2.4 s", ""]
    assert cells[5:10] == ["silent.wav", "no speech", "", "2.4 s", ""]
    assert "scripts.predict FILE... --model small</pre>" in page  # files, not windows
    assert "<th>label</th>" not in page and "Against the labels" not in page


def test_a_report_of_labelled_files_has_their_labels_and_scores():
    rows = [ReportRow("a.wav", prediction("sad"), label="sad"), ReportRow("b.wav", prediction("sad"))]
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), int)
    counts[EMOTIONS.index("sad"), EMOTIONS.index("sad")] = 1
    scores = LabelScores([{"recordings": "your own", "files": 1, "UAR %": 100.0}], counts, "About the parts.")
    page = batch_report("title", rows, METRICS, scores).replace("\N{NO-BREAK SPACE}", " ")
    assert "<td>your own</td><td>1</td><td>100.0</td>" in page and "About the parts." in page
    assert page.count("plotly-graph-div") == 2 and "text:not(.heatmap-label text)" in page  # legible on each colour
    assert "<td>a.wav</td><td>▼ sad</td><td>▼ sad</td>" in page and "<td>b.wav</td><td></td><td>▼ sad</td>" in page


def test_a_figure_of_a_report_has_room_for_its_names():
    figure = confusion_heatmap(np.eye(len(EMOTIONS), dtype=int), EMOTIONS)
    fit_to_report(figure)
    assert figure.layout.xaxis.automargin and figure.layout.yaxis.automargin
