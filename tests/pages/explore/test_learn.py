"""The page "Learn" without a browser: every lesson with and without a clip, without models and without results."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.learn import corpora, sound, view, voice
from pages.learn.listening.round import TITLE
from pages.learn.progress import LearnState
from pages.learn.view import LESSONS
from pages.ui.session import UploadedSource
from ser_core import paths
from ser_core.evaluation.results import load_result, result_path
from ser_core.interpret import lessons
from tests.make_page import session_of, texts


@pytest.fixture
def page(checkpoints) -> AppTest:
    """With two small models that were never trained."""
    return AppTest.from_file(str(paths.ROOT / "app.py"), default_timeout=120).run().switch_page("pages/learn/page.py")


def lesson(page: AppTest, title: str) -> AppTest:
    page.run().button_group(key="lesson").set_value(title).run()
    assert not page.exception
    return page


@pytest.mark.parametrize("title", LESSONS)
def test_every_lesson_has_a_picture_and_words(page, title):
    lesson(page, title)
    assert not page.error and page.get("plotly_chart") and len(page.markdown[0].value) > 100


def test_without_a_clip_a_sample_is_named(page):
    assert "Sample: Changing voice, half a minute" in texts(page.run()).replace("\\", "")


def test_the_clip_of_the_session_is_used_under_its_name_as_plain_text(page):
    session_of(page).source = UploadedSource("upload", "*mine*.ogg", Path("assets/samples/even.ogg").read_bytes())
    assert r"\*mine\*\.ogg" in texts(page.run()) and not page.exception
    assert session_of(page).clip


def test_a_clip_that_cannot_be_read_is_told_and_a_sample_taken(page):
    session_of(page).source = UploadedSource("upload", "torn.wav", b"RIFF")
    page.run()
    assert not page.exception and page.error and page.get("plotly_chart")


def test_a_voice_is_changed_and_heard(page):
    page.run()
    for semitones in (0, 6):
        page.select_slider(key="voice-Pitch").set_value(semitones).run()
        before, after = (float(hertz) for hertz in re.findall(r"(\d+) Hz", page.caption[-2].value))
        assert not page.exception and page.get("audio")
        assert after / before == pytest.approx(2 ** (semitones / 12), rel=0.05)


def test_before_and_after_are_told_apart(page, monkeypatch):
    drawn, predicted, curves, bars = [], [], voice.prosody_curves, voice.stacked_probability_bars
    monkeypatch.setattr(voice, "prosody_curves", lambda found: drawn.append(found) or curves(found))
    monkeypatch.setattr(voice, "stacked_probability_bars", lambda found: predicted.append(found) or bars(found))
    page.run().select_slider(key="voice-Pitch").set_value(6).run()
    before_hz, after_hz = (np.median(drawn[-1][name].voiced_hz) for name in (voice.AS_RECORDED, voice.CHANGED))
    assert after_hz / before_hz == pytest.approx(2**0.5, rel=0.05)
    (_, four), (plain, six) = predicted
    assert (plain.model, six.model) == (voice.AS_RECORDED, voice.CHANGED)
    assert len({tuple(found.probabilities.values()) for found in (four, plain, six)}) == 3


def test_an_excerpt_knows_where_it_begins(monkeypatch):
    waveform = np.full(80_000, 0.001, np.float32)
    waveform[32_000:48_000] = 0.5
    monkeypatch.setattr(sound, "sound", lambda: sound.Sound("id", "name", waveform))
    part = sound.excerpt(1.0)
    start = round(part.start_s * 16_000)
    assert start == pytest.approx(32_000, abs=1600) and part.duration_s == 1.0
    np.testing.assert_array_equal(part.waveform, waveform[start : start + 16_000])


def test_each_change_says_what_else_it_moves(page):
    page.run().button_group(key="voice-change").set_value("Speed").run()
    assert not page.exception and "pitch and tempo together" in texts(page)


def test_progress_is_kept_and_leads_to_the_next_lesson(page):
    titles = list(LESSONS)
    page.run().button(key="next").click().run()
    assert not page.exception and page.button_group(key="lesson").value == titles[1]
    lesson(page, titles[3])
    assert session_of(page).page(LearnState).opened == {titles[i] for i in (0, 1, 3)}
    assert page.button(key="next").label == f"Next: {titles[4]}"
    assert "3 of 7 lessons opened" in [bar.proto.text for bar in page.get("progress")]  # no number of this lesson


def test_after_the_last_lesson_comes_the_listening_test(page):
    assert lesson(page, [*LESSONS][-1]).button(key="next").label == f"Next: {TITLE}"
    page.button(key="next").click().run()
    assert not page.exception and page.button_group(key="lesson").value == TITLE
    session_of(page).page(LearnState).opened.update(LESSONS)
    assert lesson(page, next(iter(LESSONS))).button(key="next").label == f"Next: {TITLE}"  # also with all of them open
    assert "7 of 7 lessons opened" in [bar.proto.text for bar in page.get("progress")]


def test_bands_and_window_change_what_is_said(page):
    lesson(page, "Mel filterbank").select_slider(key="bands").set_value(4).run()
    page.select_slider(key="fmax").set_value(2000).run()
    assert re.search(r"\b4 filters", texts(page)) and "2000 Hz" in texts(page)
    lesson(page, "Window length").select_slider(key="window").set_value(128).run()
    assert "128 ms" in texts(page) and "16 Hz" in texts(page)


def test_the_edges_of_the_filters_stand_in_a_table(page):
    page.session_state["filters-table"] = True
    lesson(page, "Mel filterbank")
    table = page.dataframe[0].value
    assert len(table) == page.select_slider(key="bands").value and table["to Hz"].iloc[-1] == 8000


def test_one_coefficient_keeps_the_level_only(page):
    lesson(page, "MFCC").slider(key="coefficients").set_value(1).run()
    assert re.search("1 of 64 .*0%", texts(page))


def test_the_spectrum_is_that_of_the_loudest_moment(page, monkeypatch):
    drawn, lines = [], view.spectral_envelope_lines
    monkeypatch.setattr(view, "spectral_envelope_lines", lambda *given: drawn.append(given) or lines(*given))
    lesson(page, "MFCC").slider(key="coefficients").set_value(64).run()
    np.testing.assert_allclose(drawn[-1][0], drawn[-1][1], atol=1e-3)  # all coefficients: nothing is lost
    times = re.findall(r"loudest (?:part|moment)[^\d]+([\d:.]+\d)(?: to ([\d:.]+\d))?", texts(page))
    (first, last), (moment, _) = ([_seconds(time) for time in found] for found in times)
    assert 0 < first <= moment <= last


def _seconds(time: str) -> float:
    """From minutes:seconds."""
    return sum(60**i * float(part) for i, part in enumerate(time.split(":")[::-1])) if time else 0.0


def test_every_stage_can_be_looked_into(page):
    lesson(page, "Feature maps")
    for stage, n_maps in enumerate((4, 4, 8, 8), start=1):
        page.button_group(key="stage").set_value(stage).run()
        assert not page.exception and f"{n_maps} of {n_maps} maps" in texts(page)


def test_the_answer_is_placed(page):
    lesson(page, "Categories and dimensions").toggle(key="placed").set_value(True).run()
    assert not page.exception and "other: " in texts(page) and "illustration" in texts(page)


def test_where_nobody_speaks_there_is_no_answer_to_place(page):
    session_of(page).source = UploadedSource("sample", "silence", "assets/samples/empty_room.ogg")
    lesson(page, "Categories and dimensions").toggle(key="placed").set_value(True).run()
    assert not page.exception and "other: " not in texts(page)
    assert any("speech" in caption.value for caption in page.caption)


def test_without_a_model_two_lessons_say_how_to_train(page, checkpoints):
    for folder in checkpoints.iterdir():
        shutil.rmtree(folder)
    lesson(page, "Feature maps")
    assert "scripts.train" in page.info[0].value
    lesson(page, "Categories and dimensions").toggle(key="placed").set_value(True).run()
    assert not page.exception and "scripts.train" in page.info[0].value and page.get("plotly_chart")


# --- acted corpora ---------------------------------------------------------------------------------------------------


def test_figures_are_those_of_the_result_files(page, monkeypatch):
    drawn, draw = [], corpora.seen_and_unseen_speakers
    monkeypatch.setattr(corpora, "seen_and_unseen_speakers", lambda *given: drawn.append(given[0]) or draw(*given))
    lesson(page, "Acted corpora")
    unseen, shared = (
        load_result(result_path(split, "resonet")).metrics["corpora"]["tess"]["uar"]
        for split in (corpora.UNSEEN, corpora.SHARED)
    )
    assert drawn[-1]["TESS, speakers known"] == (unseen, shared)
    assert not re.search(r"\b0% of the test clips", texts(page))
    assert "SAVEE and TESS" in texts(page)
    legend = page.get("plotly_chart")[0].proto.spec
    assert "ResoNet's split" in legend and "shared speakers" not in legend  # those of CREMA-D are unseen
    assert corpora.UNSEEN not in legend + texts(page)  # the name of a file
    leaked = load_result(result_path("resonet", "resonet-leak")).metrics["corpora"]["crema_d"]["accuracy"]
    assert f"{leaked:.1%}" in texts(page)
    assert page.dataframe[0].value.set_index("corpus")["speakers"]["TESS"] == 2
    table = page.dataframe[0].value.set_index("corpus").iloc[:, -1]
    found = corpora.statistics()
    assert table["TESS"] == round(lessons.emotion_eta_squared(corpora._groups(found, "tess")), 2)
    assert table.idxmax() == "TESS"


def test_missing_figures_are_left_out_and_the_commands_named(page, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    lesson(page, "Acted corpora")
    assert not page.get("plotly_chart") and not page.dataframe
    assert "scripts.evaluate all --write" in texts(page) and "scripts.corpus_statistics" in texts(page)


def test_a_damaged_result_is_told_and_the_rest_is_shown(page, monkeypatch, tmp_path):
    folder = shutil.copytree(paths.RESULTS, tmp_path / "results")
    for split in (corpora.UNSEEN, corpora.SHARED):
        (folder / split / "resonet.json").write_text("{")
    monkeypatch.setattr(paths, "RESULTS", folder)
    lesson(page, "Acted corpora")
    assert "damaged" in page.warning[0].value and page.dataframe
