"""Damaged checkpoints, adapters, references and embeddings: loaded or refused, and a failure is reported."""

import pytest

from scripts.bench import fuzz_files


@pytest.mark.slow
def test_damaged_files_are_loaded_or_refused(monkeypatch, capsys):
    monkeypatch.setattr(fuzz_files, "CHECKPOINTS", ("simple-cnn", "decision-tree"))
    assert fuzz_files.main(["--files", "60", "--seed", "1"]) == 0, capsys.readouterr().out


def test_another_error_is_counted_and_fails_the_run(monkeypatch, capsys):
    def fail(folder):
        raise IndexError("no such row")

    monkeypatch.setattr(fuzz_files, "CHECKPOINTS", ())
    monkeypatch.setattr(fuzz_files, "_load_reference", fail)
    assert fuzz_files.main(["--files", "3"]) == 1
    assert "reference/reference.json: IndexError" in capsys.readouterr().out
