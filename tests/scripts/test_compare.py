"""The command that compares models: from result files with known answers."""

import errno
import json
import re
from pathlib import Path

import numpy as np
import pytest

from scripts import compare
from ser_core.evaluation.results import save_result
from tests.make_results import make_result, some_clips, three_results


def test_compare_prints_and_writes_what_it_found(three_models, capsys):
    assert compare.main([]) == 0
    out = capsys.readouterr().out
    assert [line.split()[1] for line in out.splitlines() if re.match(r"\d  ", line)] == ["best", "middle", "worst"]
    assert re.search(r"^best +worst +8 +0 +0\.0078 +0\.0234 +differ$", out, re.M)
    assert re.search(r"^middle +worst +3 +0 +0\.2500 +0\.2500$", out, re.M)
    assert re.search(r"left-out corpora.*\n +model +left out % +mean UAR %\n1  best +- +\d", out)
    assert "resonet: 12 clips" in out and "shares speakers on SAVEE and TESS" in out
    written = json.loads((three_models / "comparison-resonet.json").read_text())
    assert [standing["model"] for standing in written["ranking"]] == ["best", "middle", "worst"]
    assert compare.main([]) == 0  # the comparison is not taken for a result


def test_the_comparison_is_written_also_when_nobody_reads_the_table(three_models, monkeypatch, capsys):
    def leave(*arguments, **options):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr(compare, "show", leave)
    monkeypatch.setattr("scripts.common.errors.discard_output", lambda: None)  # that of the tests
    assert compare.main([]) == 1 and not capsys.readouterr().err
    assert json.loads((three_models / "comparison-resonet.json").read_text())["ranking"]


def test_compare_writes_figures_that_need_no_internet(three_models, tmp_path, capsys):
    arguments = ["--split", "resonet", "--json", str(tmp_path / "c.json"), "--html", str(tmp_path / "figures")]
    assert compare.main(arguments) == 0
    page = (tmp_path / "figures" / "resonet.html").read_text()
    assert json.loads((tmp_path / "c.json").read_text())["n_clips"] == 12
    assert not (three_models / "comparison-resonet.json").exists()
    assert not re.search(r"<script[^>]* src=|<link ", page) and len(page) > 3_000_000  # plotly.js is in it, once
    assert len(re.findall(r"<h2>", page)) == 8 + 3 * 3
    assert "<h2>F1 of each emotion, the best 3</h2>" in page and "<h2>worst: ROC</h2>" in page


def test_leakage_is_reported_but_not_ranked(leaky_results, capsys):
    assert compare.main(["--split", "resonet"]) == 0
    out = capsys.readouterr().out
    ranking, leak = out.split("Leak, not ranked")
    assert "resonet-leak" not in ranking and "resonet-redrawn" in leak
    assert re.search(r"^CREMA-D +43 ", leak, re.M)
    assert "missed: accuracy -18.3" in ranking  # simple-cnn, against the published 18.3


@pytest.mark.parametrize(
    ("given", "arguments", "message"),
    [
        (0, [], "python -m scripts.evaluate all --write"),
        (1, [], r"resonet \(1\)"),
        (3, ["--split", "moon"], r"'moon'.*resonet \(3\)"),
    ],
)
def test_compare_lists_what_exists(results_folder, capsys, given, arguments, message):
    for result in three_results()[:given]:
        save_result(result, results_folder)
    assert compare.main(arguments) == 2
    assert re.search(message, capsys.readouterr().err)


def test_compare_refuses_other_clips_and_damaged_files(three_models, capsys):
    save_result(make_result("short", some_clips()[:10], np.ones(10, bool)), three_models)
    assert compare.main([]) == 2 and "resonet/short.json" in capsys.readouterr().err
    (three_models / "resonet" / "short.json").write_text("{")
    assert compare.main([]) == 2 and "short.json" in capsys.readouterr().err
    assert not (three_models / "comparison-resonet.json").exists()


def test_json_needs_a_split(three_models, capsys):
    with pytest.raises(SystemExit):
        compare.main(["--json", "x.json"])


def test_a_place_that_cannot_be_written_is_named(three_models, tmp_path, capsys):
    (tmp_path / "file").touch()
    assert compare.main(["--split", "resonet", "--html", str(tmp_path / "file")]) == 2
    assert f"{tmp_path / 'file'} cannot be read or written: File exists. Name another" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        compare.main(["--split", "resonet", "--json", str(tmp_path / "file" / "x.json")])
    assert "cannot be written" in capsys.readouterr().err


def test_a_comparison_appears_complete_or_not_at_all(three_models, tmp_path, monkeypatch):
    place = tmp_path / "new" / "x.json"
    assert compare.main(["--split", "resonet", "--json", str(place)]) == 0
    old, write = place.read_text(), Path.write_text

    def write_half(path: Path, text: str) -> None:
        write(path, text[:100])
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_text", write_half)
    assert compare.main(["--split", "resonet", "--json", str(place)]) == 2
    assert place.read_text() == old and list(place.parent.iterdir()) == [place]
