"""The tables of README and docs: from result files with known answers."""

import re

import numpy as np

from scripts import results_tables
from scripts.result_blocks import measured
from ser_core.data.protocols.files import protocol_folds
from ser_core.data.protocols.splits import protocol_split
from ser_core.evaluation.comparison.published import published_table
from ser_core.evaluation.cross_validation import load_cross_validation
from ser_core.evaluation.results import save_result
from ser_core.models.registry import MODELS
from tests.make_results import leak_ids, make_result

LEAK_IDS = leak_ids()


def cells(block: str) -> dict[str, list[str]]:
    """First cell of each row of a Markdown table -> the other cells."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines() if line.startswith("|")
    ]
    return {row[0]: row[1:] for row in rows[2:]}


def row_of(block: str, model: str) -> list[str]:
    (found,) = [row for title, row in cells(block).items() if f"`{model}`" in title]
    return found


def test_table_resonet_has_every_published_row(leaky_results):
    block = results_tables.table_resonet(results_tables.compare_all())
    assert len(cells(block)) == len(published_table("resonet")["rows"]) + 1  # and `extra`
    resonet, missing = row_of(block, "resonet"), row_of(block, "cnn-lstm")
    assert resonet[0].startswith("75.0 [") and resonet[0].count("[") == 1
    assert resonet[4] == "82.1 [80.3, 84.0], 83.3 [81.4, 85.4] (76.0 / 82.1 / 47.2 / 100.0)"
    assert resonet[5].startswith("-7.1, ")
    assert missing == ["not trained yet", "", "", "", "40.9, 40.3 (39.8 / 28.3 / 23.6 / 53.3)", ""]
    assert row_of(block, "extra")[4:] == ["-", "-"]
    assert row_of(block, "decision-tree") == ["not trained yet", "", "", "", "-", ""]


def test_all_folds_are_next_to_published_scores(results_folder):
    assert results_tables.all_folds({}).startswith("All folds: not trained yet.")
    for fold in protocol_folds("speaker-independent"):
        clips = [i for i in protocol_split("speaker-independent", fold).test if not i.startswith("tess")][::7]
        right = np.arange(len(clips)) % 4 > 0
        save_result(make_result("flag", clips, right, "speaker-independent", fold), results_folder)
    block = results_tables.all_folds(load_cross_validation("speaker-independent"))
    found = cells(block)
    assert re.fullmatch(r"7\d\.\d \[\d\d\.\d, \d\d\.\d\]", found["RAVDESS speech"][1]) and found["SAVEE"][0] == "4"
    assert "| ResLSTM, 47 k parameters, from scratch | 62.3 |" in block and "ResLSTM" not in str(
        found["RAVDESS speech"]
    )
    assert found["RAVDESS song"][3] == "-" and found["SAVEE"][3].startswith("0.")


def test_table_ravdess_shows_ours_published_and_difference(results_folder):
    clips = [i for i in protocol_split("ravdess-random").test if i.startswith(("ravdess/", "ravdess_song/"))][:40]
    save_result(make_result("vgg16", clips, np.arange(40) % 4 > 0, "ravdess-random"), results_folder)
    block = results_tables.table_ravdess(results_tables.compare_all())
    assert re.fullmatch(r"75\.0 \[.+\] \(published 59\.06, \+15\.9\)", row_of(block, "vgg16")[0])
    assert row_of(block, "vgg19")[0] == "not trained yet; published 59.88"


def test_leakage_is_next_to_no_leakage_and_published(leaky_results):
    block = results_tables.leakage(results_tables.compare_all())
    known = protocol_split("resonet-redrawn").train
    n_known = sum(i in known for i in LEAK_IDS)
    clips, shares, honest, leaked, published, trained, unheard = cells(block)["pooled"]
    assert (clips, shares) == ("52", f"{100 * n_known / 52:.0f} %, {shares.split(', ')[1]}")
    assert (honest, leaked, published) == ("75.0", f"{100 * n_known / 52:.1f}", "82.1")
    assert trained.startswith("100.0 (") and unheard.startswith("0.0 (")
    assert re.search(r"Macro-F1 pooled: no leakage [\d.]+, leakage [\d.]+, published 83.3 %", block)
    assert "not comparable" in block


def test_speaker_independent_lists_what_is_missing(results_folder):
    test = protocol_split("speaker-independent", 0).test
    clips = [*[i for i in test if i.startswith("savee/")][:6], *[i for i in test if i.startswith("crema_d/")][:6]]
    save_result(make_result("vgg16", clips, np.arange(12) > 2, "speaker-independent", "0"), results_folder)
    assert (
        results_tables.speaker_independent(results_tables.compare_all()) == "No model: not trained yet."
    )  # nothing to compare
    save_result(make_result("vgg19", clips, np.arange(12) > 5, "speaker-independent", "0"), results_folder)
    block = results_tables.speaker_independent(results_tables.compare_all())
    assert row_of(block, "vgg16")[0] == "-" and len(row_of(block, "vgg16")) == 5
    assert "\u2020" in block and "not part of the repository" in block
    assert block.index("`vgg16`") < block.index("`vgg19`")
    missing = block.split("Not evaluated: ")[1]
    assert re.findall(r"`([^`]+)`", missing) == [name for name in MODELS if name not in ("vgg16", "vgg19")]


def test_mcnemar_names_the_pairs_without_a_difference(three_models):
    block = results_tables.mcnemar(results_tables.compare_all())
    assert block == (
        "- `resonet`: 1 of 3 pairs differ. No significant difference: `best` and `middle` (p = 0.12), "
        "`middle` and `worst` (p = 0.25)."
    )


def test_without_results_no_figure_is_shown(results_folder):
    assert results_tables.compare_all() == {}
    for block in (results_tables.table_resonet, results_tables.table_ravdess, results_tables.leakage):
        assert "not trained yet" in block({})
    for block in (results_tables.speaker_independent({}), results_tables.mcnemar({})):
        assert "not trained yet" in block and not re.search(r"\d", block)


def test_leakage_alone_is_not_a_result(results_folder):
    save_result(make_result("resonet-leak", LEAK_IDS, np.ones(52, bool)), results_folder)
    found = results_tables.compare_all()
    assert found == {} and row_of(results_tables.table_resonet(found), "resonet")[0] == "not trained yet"


def test_check_reports_a_changed_figure(three_models, tmp_path, monkeypatch):
    page = tmp_path / "results.md"
    monkeypatch.setattr(results_tables, "DOCUMENTS", (page,))
    for block in ("scores", "robustness"):
        monkeypatch.setattr(results_tables, block, lambda: "", raising=True)
    monkeypatch.setattr(measured, "BENCHMARK", tmp_path / "benchmark.json")
    (tmp_path / "benchmark.json").write_text('{"speed": 1.5}')
    page.write_text("a\n<!-- mcnemar -->\n<!-- /mcnemar -->\n<!-- benchmark -->\n<!-- /benchmark -->\n")
    assert results_tables.main(["--check"]) == 1
    assert results_tables.main([]) == 0
    text = page.read_text()
    assert text.startswith("a\n<!-- mcnemar -->\n\n- `resonet`: 1 of 3") and "| speed | 1.50 |\n\n<!-- /bench" in text
    assert results_tables.main(["--check"]) == 0
    page.write_text(text.replace("1 of 3", "2 of 3"))
    assert results_tables.main(["--check"]) == 1


def test_a_damaged_result_is_named(three_models, capsys):
    (three_models / "resonet" / "middle.json").write_text("{")
    assert results_tables.main([]) == 2 and "resonet/middle.json" in capsys.readouterr().err


def test_without_docs_nothing_is_written(tmp_path, monkeypatch, capsys):
    """As in an installed package."""
    monkeypatch.setattr(results_tables, "DOCUMENTS", (tmp_path / "results.md",))
    assert results_tables.main([]) == 2 and "Run this in a checkout" in capsys.readouterr().err
