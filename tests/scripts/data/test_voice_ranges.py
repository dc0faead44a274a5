"""scripts.voice_ranges."""

import errno
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts import corpus_statistics, prepare_corpora, voice_ranges
from scripts.common import flags
from ser_core.data import Utterance
from ser_core.labels import EMOTIONS
from tests.make_corpus import voice, write_wav


def test_clips_are_of_unseen_speakers_and_no_speaker_outweighs(corpora, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(voice_ranges, "MIN_SPEAKERS", 1)
    monkeypatch.setattr(voice_ranges, "training_speakers", lambda protocol, fold: {"crema_d-1002"})
    prepare_corpora.main([])
    path = tmp_path / "voice_ranges.json"
    assert voice_ranges.main(["--clips", "6", "--json", str(path)]) == 0
    found = json.loads(path.read_text(), parse_constant=pytest.fail)
    everyone = found["groups"][0]
    n_speakers = sum(found["corpora"]["crema_d"].values())
    assert everyone["n_speakers"] == n_speakers and everyone["n_clips"] == 6 * n_speakers
    assert n_speakers == 1  # of two, one is known
    assert {group["emotion"] for group in found["groups"]} <= {"all", *EMOTIONS}


def test_song_is_not_measured(monkeypatch):
    made = [Utterance(f"{c}/x", Path("x.wav"), c, "ravdess-24", "female", "sad") for c in ("ravdess_song", "ravdess")]
    monkeypatch.setattr(voice_ranges, "read_corpora", lambda root: SimpleNamespace(utterances=made))
    monkeypatch.setattr(voice_ranges, "corpora_root", lambda: Path())
    monkeypatch.setattr(voice_ranges, "training_speakers", lambda protocol, fold: set())
    assert [u.corpus for u in voice_ranges.unseen_utterances()] == ["ravdess"]


def test_says_what_is_missing(corpora, capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("SER_CORPORA", str(tmp_path / "nothing"))
    assert voice_ranges.main(["--json", str(tmp_path / "voice_ranges.json")]) == 2
    assert "SER_CORPORA" in capsys.readouterr().err and not (tmp_path / "voice_ranges.json").exists()


@pytest.mark.parametrize("script", [voice_ranges, corpus_statistics])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(script, tmp_path, capsys):
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "file" / "result.json"):
        with pytest.raises(SystemExit):
            script.main(["--json", str(place)])
        assert f"'{place}' cannot be written: name a file" in capsys.readouterr().err


@pytest.mark.parametrize("script", [voice_ranges, corpus_statistics])
def test_a_folder_that_may_not_be_written_is_refused_before_the_work(script, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("scripts.common.flags.os.access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(SystemExit):
        script.main(["--json", str(tmp_path / "result.json")])
    assert "result.json' cannot be written: name a file" in capsys.readouterr().err


@pytest.mark.parametrize("script", [voice_ranges, corpus_statistics])
def test_a_full_disk_is_said(script, corpora, tmp_path, capsys, monkeypatch):
    def full(path, *content):
        raise OSError(errno.ENOSPC, "No space left on device")

    prepare_corpora.main([])
    monkeypatch.setattr(voice_ranges, "training_speakers", lambda protocol, fold: set())
    monkeypatch.setattr("ser_core.paths.write_text", full)
    assert script.main(["--json", str(tmp_path / "result.json")]) == 2
    assert "No space left" in capsys.readouterr().err


def test_recordings_that_are_not_decoded_name_the_command(corpora, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(voice_ranges, "training_speakers", lambda protocol, fold: set())
    prepare_corpora.main([])
    write_wav(corpora / "AudioWAV" / "1003_DFA_ANG_XX.wav", voice(150, 0))
    assert voice_ranges.main(["--json", str(tmp_path / "voice_ranges.json")]) == 2
    assert "1003_DFA_ANG_XX is not decoded. Run: python -m scripts.prepare_corpora" in capsys.readouterr().err


def test_a_device_in_a_folder_that_may_not_be_written_is_a_place(monkeypatch):
    monkeypatch.setattr(flags.os, "access", lambda path, mode: str(path) == "/dev/null")
    assert flags.writable_path("/dev/null") == Path("/dev/null")
