"""scripts.prepare_corpora and scripts.make_protocols."""

import re

import pytest

from scripts import (
    make_protocols,
    prepare_corpora,
)
from ser_core import paths
from ser_core.data import audio_cache_folder
from ser_core.labels import EMOTIONS
from tests.make_corpus import voice, write_wav


def test_prepare_prints_a_table(corpora, capsys):
    assert prepare_corpora.main([]) == 0
    header, row = capsys.readouterr().out.splitlines()
    assert header.split() == ["corpus", "files", "speakers", "hours", *EMOTIONS]
    assert row.split() == ["crema_d", "12", "2", "0.00", "2", "0", "2", "2", "2", "2", "2", "0"]
    assert prepare_corpora.main([]) == 0 and capsys.readouterr().out.splitlines() == [header, row]


def test_prepare_lists_what_it_does_not_use(corpora, capsys):
    write_wav(corpora / "AudioWAV" / "1076_MTI_SAD_XX.wav", voice(150, 0))
    write_wav(corpora / "holiday.wav", voice(150, 0))
    (corpora / "AudioWAV" / "1001_DFA_ANG_XX.wav").write_text("no sound")
    assert prepare_corpora.main([]) == 2
    out = capsys.readouterr().out
    assert re.search(r"left out: 1\n +AudioWAV/1076_MTI_SAD_XX\.wav: digital silence", out)
    assert re.search(r"could not be read: 1\n +/.+1001_DFA_ANG_XX\.wav: .+", out)
    assert re.search(r"fit no grammar: 1\n +holiday\.wav", out)


def test_a_second_run_at_once_is_refused(corpora, capsys):
    assert prepare_corpora.main([]) == 0
    with paths.only_writer(audio_cache_folder(), AssertionError()):
        assert prepare_corpora.main([]) == 2
    assert "Another process" in capsys.readouterr().err


def test_a_folder_that_cannot_be_read_is_not_blamed_on_the_cache(corpora, monkeypatch, capsys):
    def refuse(root):
        raise PermissionError(13, "Permission denied", str(root))

    monkeypatch.setattr(prepare_corpora, "read_corpora", refuse)
    assert prepare_corpora.main([]) == 2
    err = capsys.readouterr().err
    assert f"{corpora} cannot be read" in err and "cache" not in err


@pytest.mark.parametrize("script", [prepare_corpora, make_protocols])
@pytest.mark.parametrize("state", ["missing", "empty"])
def test_without_recordings_the_scripts_say_what_to_do(tmp_path, monkeypatch, capsys, script, state):
    if state == "empty":
        (tmp_path / "corpora").mkdir()
    monkeypatch.setenv("SER_CORPORA", str(tmp_path / "corpora"))
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "cache"))
    assert script.main([]) == 2
    assert re.search("SER_CORPORA|Expected: ", capsys.readouterr().err)
    assert not (tmp_path / "cache").exists()


def test_protocol_files_of_absent_corpora_are_left_as_they_are(workbench, capsys):
    before = {path.name: path.read_bytes() for path in paths.PROTOCOLS.glob("*.csv")}
    assert make_protocols.main([]) == 0
    kept = {line.split()[0] for line in capsys.readouterr().out.splitlines() if "left as it is" in line}
    assert kept == before.keys() - {"speaker-independent.csv"}  # which the fixture cuts down to CREMA-D
    assert all((paths.PROTOCOLS / name).read_bytes() == before[name] for name in kept)
