"""The page "Data" and the model cards without a browser: with and without corpora, statistics and models."""

import pytest
from streamlit.testing.v1 import AppTest

from pages.data import view
from pages.ui import results
from ser_core import paths
from ser_core.data.protocols.splits import protocol_split
from ser_core.data.utterances import CORPUS_NAMES, SPEECH_CORPORA
from ser_core.labels import EMOTIONS
from tests import make_page
from tests.make_corpus import write_crema_d
from tests.make_page import texts


@pytest.fixture
def open_page(no_corpora):
    """A function that opens one page, without corpora unless they are set afterwards."""
    return lambda name: make_page.open_page(name).run()


# --- data explorer ---------------------------------------------------------------------------------------------------


def test_every_corpus_is_described(open_page):
    page = open_page("data")
    assert not page.exception and not page.error
    table = page.dataframe[0].value
    described = [CORPUS_NAMES[corpus] for corpus in results.statistics()["clips"]]
    assert table["corpus"].tolist() == described
    english = table.set_index("corpus").loc[[CORPUS_NAMES[c] for c in (*SPEECH_CORPORA, "ravdess_song")]]
    assert english["clips"].sum() == 13_167 and english["speakers"].sum() == 121 + 23
    assert english["hours"].sum() == pytest.approx(10.15, abs=0.05)
    assert "`SER_CORPORA`" in texts(page) and "acted" in texts(page)


def test_every_measure_and_every_row_can_be_chosen(open_page):
    page = open_page("data")
    for box in ("measure", "rows"):
        for option in page.selectbox(key=box).options:
            value = next(v for v in _values(page, box) if page.selectbox(key=box).format_func(v) == option)
            page.selectbox(key=box).set_value(value).run()
            assert not page.exception, option


def _values(page: AppTest, box: str) -> list[str]:
    found = results.statistics()
    return list(found["measures"]) if box == "measure" else ["corpora", *found["clips"]]


def test_speakers_are_counted_from_the_names():
    counts = view._speakers("ravdess")
    assert len(counts) == 24 and counts["01"]["neutral"] == 4 and counts["01"]["calm"] == 8
    assert len(view._speakers("ravdess_song")) == 23
    assert {len(row) for row in view._speakers("savee").values()} == {7}
    for corpus in ("ravdess", "ravdess_song"):  # the same people speak and sing
        assert {clip.split("/")[0] for clip in view._one_of_each(corpus, "01").values()} == {corpus}


def test_known_speakers_are_told_for_each_protocol():
    rows = {row["protocol in commands"]: row for row in view._protocols()}
    assert all(rows[f"speaker-independent-{k}"]["known speakers"] == 0 for k in range(5))
    assert (rows["ravdess-random"]["known speakers"], rows["ravdess-random"]["test speakers"]) == (24, 24)
    assert rows["resonet"]["known speakers"] == 6  # TESS's two and SAVEE's four
    parts = protocol_split("speaker-independent", "0")
    sizes = {"train": len(parts.train), "dev": len(parts.dev), "test": len(parts.test)}
    assert sizes.items() <= rows["speaker-independent-0"].items() and len({*sizes.values()}) == 3
    assert all(bool(row["mind"]) == (row["known speakers"] > 0) for row in rows.values())


def test_a_corpus_is_counted_from_its_own_groups():
    def group(measure: str, corpus: str, sex: str, n_clips: int) -> dict:
        return {"measure": measure, "corpus": corpus, "sex": sex, "n_clips": n_clips, "mean": 1800.0, "median": 7.0}

    groups = [group("duration_s", "savee", "all", n) for n in (4, 2)]
    groups += [group("duration_s", "tess", "all", 8), *(group("pitch_hz", "savee", sex, 1) for sex in ("all", "male"))]
    found = {"clips": {"savee": {"sad": 4, "angry": 2}}, "speakers": {"savee": {"male": 4}}, "groups": groups}
    row = view._corpus_row("savee", found)
    assert [*row.values()][1:-1] == [6, 3.0, 2, 4, 0, 4]
    found["speakers"]["savee"] = {"unknown": 8}
    assert [*view._corpus_row("savee", found).values()][4:-1] == [8, None, None]
    assert view._groups(found, "pitch_hz", "savee", True) == [groups[4] | {"row": "SAVEE, male"}]
    assert view._groups(found, "duration_s", "tess", False) == [groups[2] | {"row": "TESS"}]
    assert len(view._groups(found, "duration_s", view.ALL_CORPORA, False)) == 3


def test_without_statistics_the_page_says_what_to_run(open_page, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    page = open_page("data")
    assert not page.exception and "scripts.corpus_statistics" in page.info[0].value


@pytest.mark.parametrize("content", [b"", b'{"clips": {', b"\xff\xfe"], ids=str)
def test_statistics_that_were_half_written_are_none(open_page, monkeypatch, tmp_path, content):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    (tmp_path / "corpora.json").write_bytes(content)
    page = open_page("data")
    assert not page.exception and "scripts.corpus_statistics" in page.info[0].value


def test_with_recordings_every_emotion_of_a_voice_is_shown(open_page, monkeypatch, crema_d):
    monkeypatch.setenv("SER_CORPORA", str(crema_d))
    page = open_page("data")
    page.selectbox(key="wall-crema_d").set_value("1037").run()
    assert not page.exception and "other numbers of clips: RAVDESS speech 0" in texts(page)
    shown = [e for e in EMOTIONS if f"{view.emotion_label(e)}**" in texts(page)]
    assert shown == [e for e in EMOTIONS if e not in ("calm", "surprise")]
    assert page.subheader[-1].value == "One speaker, every emotion"  # on a phone they are a long way to scroll


def test_a_recording_that_is_taken_away_is_said_among_the_others(open_page, monkeypatch, tmp_path):
    monkeypatch.setenv("SER_CORPORA", str(write_crema_d(tmp_path, ("1037",))))
    page = open_page("data").selectbox(key="wall-crema_d").set_value("1037").run()
    clips = view._one_of_each("crema_d", "1037")
    there = results.recordings()
    (gone,) = [there[clip] for emotion, clip in clips.items() if emotion == "sad"]
    gone.unlink()
    page.run()
    assert not page.exception
    assert sum("no longer" in caption.value for caption in page.caption) == 1
