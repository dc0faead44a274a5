"""scripts.train_heads: what it refuses before the work."""

import pytest

from scripts import train_heads
from ser_core import paths


@pytest.mark.parametrize(
    ("flags", "cause"),
    [(["prosonet"], "choose from"), (["whisper", "--check"], "leave out --check to write left-out-whisper.json")],
)
def test_a_model_without_a_head_and_a_missing_file_are_refused(monkeypatch, tmp_path, capsys, flags, cause):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    monkeypatch.setattr(train_heads, "fold_reports", lambda *arguments: pytest.fail("it began"))
    with pytest.raises(SystemExit):
        train_heads.main([*flags, "--protocol", "left-out"])
    assert cause in capsys.readouterr().err


def test_without_decoded_recordings_it_says_what_to_run(workplace, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("SER_CACHE", str(tmp_path / "empty"))
    monkeypatch.setattr(train_heads, "load_model", lambda *arguments: None)
    for fold in train_heads.protocol_folds("left-out"):
        (tmp_path / "runs" / f"whisper-left-out-{fold}" / "checkpoint").mkdir(parents=True)
    assert train_heads.main(["whisper", "--protocol", "left-out"]) == 2
    assert "scripts.prepare_corpora" in capsys.readouterr().err
