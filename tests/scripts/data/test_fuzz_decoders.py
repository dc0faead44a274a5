"""scripts.bench.fuzz_decoders: damaged files of every container give an answer or an error."""

import json

import pytest

from scripts.bench import fuzz_decoders


@pytest.mark.slow
def test_damaged_files_give_an_answer_or_an_error(tmp_path, capsys):
    assert fuzz_decoders.main(["--files", "400", "--finds", str(tmp_path)]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["files"] == figures["answer"] + figures["error"] == 400
    assert figures["containers"] >= 15 and figures["longest_s"] < 10
    assert not list(tmp_path.iterdir())


def test_what_must_not_happen_is_kept(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(fuzz_decoders, "outcome", lambda content: "crash")
    assert fuzz_decoders.main(["--files", "3", "--finds", str(tmp_path)]) == 1
    assert len(list(tmp_path.iterdir())) == 3
