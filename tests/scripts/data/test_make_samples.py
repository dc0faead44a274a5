"""scripts.make_samples."""

import pytest

from scripts import make_samples
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
