"""scripts.make_samples."""

import resource

import pytest
import soundfile

from scripts import make_samples
from ser_core import paths
from tests.make_corpus import write_crema_d


@pytest.mark.parametrize(
    ("missing", "cure"),
    [("folder", "SER_CORPORA"), ("clips", "download_corpora crema_d"), ("metrics", "not evaluated on unseen speakers")],
)
def test_the_voices_stay_where_there_are_no_others(missing, cure, tmp_path, monkeypatch, capsys):
    old = tmp_path / "voices" / "1001_TSI_SAD_XX.opus"
    old.parent.mkdir()
    old.touch()
    monkeypatch.setattr(make_samples, "VOICES", old.parent)
    monkeypatch.setenv("SER_CORPORA", str(tmp_path / "corpora"))
    if missing != "folder":
        write_crema_d(tmp_path / "corpora")
    if missing == "metrics":
        monkeypatch.setattr(make_samples, "read_metrics", lambda name: {})
    assert make_samples.main(["voices"]) == 2
    assert cure in capsys.readouterr().err and old.exists()


@pytest.fixture
def noise(tmp_path, monkeypatch):
    """The folder of the samples, of which there is only the one without speech."""
    monkeypatch.setattr(paths, "SAMPLES", tmp_path / "samples")
    monkeypatch.setattr(make_samples, "SAMPLES", [s for s in make_samples.SAMPLES if not s.passages])
    monkeypatch.setattr(make_samples.shutil, "which", lambda name: name)
    return tmp_path / "samples"


def test_a_sample_is_written(noise):
    assert make_samples.main(["synthetic"]) == 0
    info = soundfile.info(noise / "empty_room.ogg")
    assert (info.subtype, info.channels) == ("OPUS", 1) and info.duration == pytest.approx(6.6, abs=0.1)


def test_a_full_disk_is_a_sentence_and_leaves_no_part_of_a_sample(noise, capsys):
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        assert make_samples.main(["synthetic"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "File too large" in capsys.readouterr().err and not [*noise.glob("*.ogg")]
