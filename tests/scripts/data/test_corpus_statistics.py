"""scripts.corpus_statistics."""

import json
import re

import pytest

from scripts import (
    corpus_statistics as explore,
    prepare_corpora,
)
from ser_core.data.file_names import CREMA_EMOTIONS
from ser_core.labels import EMOTIONS
from tests.make_corpus import voice, write_wav


def test_explore_writes_what_a_page_can_plot(corpora, capsys, tmp_path):
    prepare_corpora.main([])
    assert explore.main(["--json", str(tmp_path / "new" / "corpora.json")]) == 0
    found = json.loads((tmp_path / "new" / "corpora.json").read_text(), parse_constant=pytest.fail)
    assert found["clips"]["crema_d"] == {e: 2 for e in EMOTIONS if e not in ("calm", "surprise")}
    pitch = {
        group["emotion"]: group["median"]
        for group in found["groups"]
        if (group["measure"], group["sex"]) == ("pitch_hz", "all")
    }
    for k, emotion in enumerate(CREMA_EMOTIONS.values()):  # as write_crema_d made them
        assert pitch[emotion] == pytest.approx(120 * 1.3**k, rel=0.06)
    out = capsys.readouterr().out
    assert "RAVDESS speech, RAVDESS song, TESS, SAVEE" in out
    assert re.search(r"^crema_d +angry +2 +1\d\d", out, re.M)


@pytest.mark.parametrize("lacking", ["folder", "cache", "one recording", "intact samples"])
def test_explore_says_what_is_missing(corpora, capsys, monkeypatch, tmp_path, lacking):
    if lacking == "folder":
        monkeypatch.setenv("SER_CORPORA", str(tmp_path / "nothing"))
    elif lacking == "one recording":
        prepare_corpora.main([])
        write_wav(corpora / "AudioWAV" / "1003_DFA_ANG_XX.wav", voice(150, 0))
    elif lacking == "intact samples":
        prepare_corpora.main([])
        samples = tmp_path / "cache" / "audio.i16"
        samples.write_bytes(bytes(len(samples.read_bytes())))
    assert explore.main(["--json", str(tmp_path / "corpora.json")]) == 2
    said = {
        "folder": "SER_CORPORA",
        "cache": "prepare_corpora",
        "intact samples": "damaged. Run: python -m scripts.prepare_corpora",
        "one recording": ": 1. Run: python -m scripts.prepare_corpora",
    }
    assert said[lacking] in capsys.readouterr().err and not (tmp_path / "corpora.json").exists()
