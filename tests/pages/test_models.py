"""The page "Models" without a browser: every shipped result is shown, and what is missing or damaged is said."""

import shutil
import time
from itertools import groupby
from pathlib import Path
from types import SimpleNamespace

import pytest
from streamlit.testing.v1 import AppTest

from pages.learn.corpora import _leaked
from pages.models import comparison, fairness, ranking, verdict
from pages.models.training import runs
from pages.ui import results
from pages.ui.text import corpus_actor, split_title
from ser_core import paths
from ser_core.data.file_names import parse_filename
from ser_core.data.protocols.assignment import LEAVE_ONE_CORPUS_OUT
from ser_core.data.protocols.splits import protocol_folds, protocol_split
from ser_core.data.utterances import CORPUS_NAMES
from ser_core.evaluation.comparison.pairs import PairwiseTest
from ser_core.evaluation.cross_validation import Confidence, FoldSpread
from ser_core.evaluation.results import list_results, save_result
from ser_core.evaluation.summary.fairness import score_groups
from ser_core.evaluation.summary.verdict import Verdict
from ser_core.models.names import DEFAULT_MODEL
from ser_core.training import DEV_UAR, RunRecord
from tests.make_page import open_page, texts
from tests.make_results import make_result

PARTS = {
    "Confusion": "Confusion matrix",
    "Confidence": "Calibration",
    "Groups of speakers": "By sex",
    "Comparison": "",
}
SHIPPED = sorted({path.parent.name for path in list_results()})


@pytest.fixture
def page(no_corpora) -> AppTest:
    page = open_page("models")
    page.query_params["show"] = "Ranking"
    return page


@pytest.mark.parametrize("split", SHIPPED)
def test_every_test_part_is_shown(page, split):
    page.run().selectbox(key="split").set_value(split).run()
    assert not page.exception and not page.error
    found = results.load_results(split)
    ranked = [s.model for s in found.comparison.ranking]
    assert [name for name in page.dataframe[0].value["model"] if name in ranked] == ranked
    assert found.comparison.about in texts(page)
    assert bool(page.warning) == bool(found.comparison.note)
    for part, heading in PARTS.items():
        page.segmented_control(key="show").set_value(part).run()
        assert not page.exception and heading in texts(page)
        assert bool(page.warning) == bool(found.comparison.note)
    alone = any("Only one model" in info.value for info in page.info)
    assert alone == (len(found.predictions) == 1) and alone != ("McNemar" in texts(page))


def test_each_corpus_has_its_interval(page):
    page.session_state["corpora-table"] = True
    page.run().selectbox(key="split").set_value("speaker-independent-0").run()
    (table,) = [table.value for table in page.dataframe if "CREMA-D" in table.value and "folds" not in table.value]
    assert table["model"][0] == DEFAULT_MODEL  # its own test part holds these clips
    table = table[table["model"] == "prosonet"].reset_index()
    standing = results.load_results(page.selectbox(key="split").value).comparison.ranking[0]
    scores = standing.corpora["crema_d"]
    low, high = scores["uar_ci"]
    assert table["model"][0] == standing.model and standing.corpora["savee"]["uar_ci"] is None  # a single speaker
    assert table["CREMA-D"][0] == f"{100 * scores['uar']:.1f} [{100 * low:.1f}, {100 * high:.1f}]"
    assert table["SAVEE"][0] == f"{100 * standing.corpora['savee']['uar']:.1f}"


def test_published_figures_name_their_source_and_what_is_wrong_with_them(page):
    page.run().selectbox(key="split").set_value("resonet").run()
    (table,) = [table.value for table in page.dataframe if "published as" in table.value]
    assert "resonet" in list(table["model"]) and table["accuracy %, published"].notna().all()  # no row without figures
    words = texts(page).replace("\\", "")
    assert "nikhil-yn-aix/ResoNet" in words and "most probably inflated" in words


def test_abbreviations_are_explained_where_they_stand(page):
    assert "ECE, expected calibration error" in texts(page.run()) and "Macro-F1: mean" in texts(page)
    page.segmented_control(key="show").set_value("Confidence").run()
    assert "ECE, expected calibration error" in texts(page) and "AURC: area" in texts(page)
    assert not page.exception


def test_a_benchmark_that_was_half_written_is_none(page, monkeypatch, tmp_path):
    monkeypatch.setattr(results, "BENCHMARK", tmp_path / "benchmark.json")
    results.BENCHMARK.write_text('{"models": {')
    page.run().segmented_control(key="show").set_value("Comparison").run()
    assert not page.exception and "Latency, size and accuracy" not in texts(page)


def test_all_folds_of_a_model_stand_in_one_table(page, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    for fold in ("0", "1"):
        clips = protocol_split("speaker-independent", fold).test[::9]
        right = [i % 4 > 0 for i in range(len(clips))]
        save_result(make_result("m", clips, right, "speaker-independent", fold), tmp_path)
    page.run()
    (table,) = [table.value for table in page.dataframe if "folds" in table.value]
    (row,) = table.to_dict("records")
    assert row["model"] == "m" and row["folds"] == 2 and row["TESS"].startswith("7")
    assert not page.exception and "All folds" in texts(page)


def test_the_page_opens_with_a_verdict_on_the_default_model(page):
    del page.query_params["show"]
    page.run()
    found = results.read_verdict(DEFAULT_MODEL)
    assert not page.exception and DEFAULT_MODEL.replace("-", r"\-") in page.markdown[0].value
    assert f"**{found.mean_left_out:.0%}**" in page.markdown[0].value
    assert f"one human listener {found.listeners['crema_d']:.0%}" in page.markdown[0].value and not page.metric
    assert found.chance < found.left_out["crema_d"] < found.unseen["crema_d"]
    page.segmented_control(key="show").set_value("Model card").run()
    assert not page.exception and "left out of training, UAR %" in page.dataframe[0].value


def test_the_verdict_rests_on_all_speakers_where_every_fold_was_tested():
    """One fold has a single speaker of SAVEE, and so a figure 20 points off."""
    found = results.read_verdict(DEFAULT_MODEL)
    folds = results.all_folds("speaker-independent-8-0")[DEFAULT_MODEL]
    assert found.all_folds and round(found.mean_unseen, 2) == round(folds.mean_uar, 2)
    for corpus, uar in found.unseen.items():
        assert uar == pytest.approx(folds.corpora[corpus]["uar"].mean, abs=0.02), corpus
    of_one_fold = results.read_verdict("prosonet")
    assert not of_one_fold.all_folds and of_one_fold.unseen
    assert "unseen speakers, all folds, UAR %" in verdict._row(found, "savee")
    assert "unseen speakers, UAR %" in verdict._row(of_one_fold, "savee")


@pytest.mark.parametrize(("split", "measured"), [("speaker-independent-8-0", False), ("resonet", True)])
def test_a_rank_by_left_out_corpora_is_claimed_only_where_a_column_has_them(page, split, measured):
    page.query_params["split"] = split
    has_column = "left-out corpora UAR %" in page.run().dataframe[0].value
    assert has_column == ("UAR on left-out corpora" in texts(page)) == measured


def test_models_of_one_protocol_stand_together(page):
    page.query_params["show"] = "Training"
    shown = (table.value for table in page.run().dataframe)  # runs on this machine may come first
    under = next(table for table in shown if "trained under" in table)["trained under"].tolist()
    assert [protocol for protocol, _ in groupby(under)] == list(dict.fromkeys(under)) != under


def test_the_address_names_the_test_part(page):
    page.query_params["split"] = "resonet"
    assert page.run().selectbox(key="split").value == "resonet" and not page.exception
    page.selectbox(key="split").set_value("ravdess-random").run()
    assert page.query_params["split"] in ("ravdess-random", ["ravdess-random"])


def test_a_verdict_without_left_out_corpora_claims_none():
    found = Verdict("m", {"crema_d": 0.5, "tess": 0.7}, {}, {})
    assert verdict.describe_verdict(found).count("%") == 2 and "**60%**" in verdict.describe_verdict(found)


@pytest.mark.parametrize(("model", "measured"), [(DEFAULT_MODEL, True), ("resonet", False)])
def test_open_circles_are_spoken_of_where_there_are_some(page, model, measured):
    page.query_params["show"], page.query_params["model"] = "Summary", model
    assert not page.run().exception and page.selectbox(key="model").value == model
    assert ("expect the open circles" in texts(page)) == measured
    assert ("corpus left out of training" in page.get("plotly_chart")[0].proto.spec) == measured


def test_the_speakers_of_the_chosen_corpus_are_counted(page):
    page.query_params["show"] = "Groups of speakers"
    assert "188 test speakers" in texts(page.run()) and "91 of them" in texts(page)
    page.selectbox(key="group-corpus").set_value("all").run()
    assert not page.exception and "of them" not in texts(page)


def test_groups_of_speakers_have_intervals_over_speakers():
    groups = score_groups(results.unseen_predictions("speaker-independent-0", "prosonet").of_corpus("crema_d"), "age")
    assert list(groups) == ["below 30", "30 to 44", "45 or older"]
    assert sum(scores.n_speakers for scores in groups.values()) == 91  # of all folds
    assert all(scores.uar_ci[0] < scores.uar < scores.uar_ci[1] for scores in groups.values())


def test_corpora_stand_in_one_order(page):
    table = results.unseen_predictions("speaker-independent-0", "prosonet")
    shown = list(score_groups(table, "corpus"))
    assert shown == [name for name in CORPUS_NAMES.values() if name in shown]
    page.query_params["show"], page.query_params["split"] = "Groups of speakers", "speaker-independent-0"
    assert page.run().selectbox(key="group-corpus").options[1:] == shown


@pytest.mark.parametrize(("split", "said"), [("speaker-independent-0", True), ("resonet", False)])
def test_groups_of_speakers_say_where_they_are_of_all_folds(page, split, said):
    page.query_params["show"], page.query_params["split"] = "Groups of speakers", split
    assert not page.run().exception and ("test speakers of all folds" in texts(page)) == said
    assert page.selectbox(key="split").value == split


def test_the_test_part_of_the_default_model_comes_first(page):
    assert page.run().selectbox(key="split").value == "speaker-independent-8-0"


def test_a_cell_of_the_confusion_matrix_leads_to_its_clips(page):
    page.run().segmented_control(key="show").set_value("Confusion").run()
    page.selectbox(key="Label-None").set_value("sad").run()
    page.selectbox(key="Predicted-None").set_value("neutral").run()
    assert not page.exception
    found = results.load_results(page.selectbox(key="split").value)
    model = page.selectbox(key="looked-at").value
    labels = found.comparison.labels
    expected = found.confusion(model, None)[labels.index("sad"), labels.index("neutral")]
    assert f"**{expected}**" in texts(page) and expected > 0
    clips = found.clips(model, None, "sad", "neutral")
    assert len(clips) == expected and {(c["label"], c["predicted"]) for c in clips} == {("sad", "neutral")}
    assert [c["confidence"] for c in clips] == sorted((c["confidence"] for c in clips), reverse=True)


def test_the_cells_of_a_corpus_hold_all_its_clips():
    found = results.load_results(SHIPPED[-1])
    model = found.comparison.ranking[0].model
    for corpus, scores in found.comparison.ranking[0].corpora.items():
        if corpus in found.comparison.pooled_corpora:
            assert len(found.clips(model, corpus, None, None)) == scores["n_clips"]
            assert found.confusion(model, corpus).sum() == scores["n_clips"]


def test_without_recordings_the_page_says_how_to_hear_them(page):
    page.run().segmented_control(key="show").set_value("Confusion")
    assert "`SER_CORPORA`" in texts(page.run())


def test_without_results_the_page_says_what_to_run(page, monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    page.run()
    assert not page.exception
    assert page.info and "scripts.evaluate" in page.info[0].value and not page.selectbox


def test_a_damaged_result_is_named(page, monkeypatch, tmp_path):
    folder = tmp_path / "speaker-independent-0"
    folder.mkdir()
    shutil.copy(paths.RESULTS / "speaker-independent-0" / "resonet.json", folder)
    (folder / "broken.json").write_text("{")
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    page.run()
    assert not page.exception
    assert "broken\\.json" in page.error[0].value
    assert page.error[0].proto.title == "This cannot be computed"  # it said that the audio cannot be analysed


def test_an_actor_of_unknown_sex_is_not_unknown():
    names = [corpus_actor(parse_filename(Path(name))) for name in ("1006_IOM_HAP_XX.wav", "1157_kz_acaba.wav")]
    assert names == ["CREMA-D, female actor 1006", "TurEV-DB, actor 1157"]


def test_a_new_result_is_read_without_a_restart(tmp_path, monkeypatch):
    folder = tmp_path / "speaker-independent-0"
    folder.mkdir()
    source = paths.RESULTS / "speaker-independent-0"
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    shutil.copy(source / "resonet.json", folder)
    assert len(results.load_results("speaker-independent-0").comparison.ranking) == 1
    shutil.copy(source / "svm-egemaps.json", folder)
    assert len(results.load_results("speaker-independent-0").comparison.ranking) == 2


def test_new_results_on_left_out_corpora_change_the_order_without_a_restart(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "RESULTS", tmp_path)
    split = "speaker-independent-0"
    for fold in ("0", "1"):
        clips = protocol_split("speaker-independent", fold).test[::9]
        for model, right in [("better", [True] * len(clips)), ("general", [i % 4 > 0 for i in range(len(clips))])]:
            save_result(make_result(model, clips, right, "speaker-independent", fold), tmp_path)
    assert list(results.load_results(split).predictions) == list(results.all_folds(split)) == ["better", "general"]
    for fold in protocol_folds(LEAVE_ONE_CORPUS_OUT):
        clips = protocol_split(LEAVE_ONE_CORPUS_OUT, fold).test[::20]
        save_result(make_result("general", clips, [True] * len(clips), LEAVE_ONE_CORPUS_OUT, fold), tmp_path)
    assert list(results.load_results(split).predictions) == list(results.all_folds(split)) == ["general", "better"]


def test_one_network_stands_under_three_protocols():
    """The more the training knows of the test, the better it looks."""
    found = results.load_results("resonet")
    (leak,) = found.comparison.leaks
    bars = comparison._under_each_protocol(leak, "resonet")
    assert list(bars) == [CORPUS_NAMES[corpus] for corpus in leak.parts if corpus in CORPUS_NAMES]
    unseen, known, redrawn = (split_title(name) for name in (comparison.UNSEEN, "resonet", "resonet-redrawn"))
    assert list(bars["TESS"]) == [unseen, known, redrawn] and known != redrawn
    assert bars["TESS"][unseen] < bars["TESS"][known]  # its speakers are known
    assert bars["CREMA-D"][known] < bars["CREMA-D"][redrawn]  # its clips are


def test_figures_of_corpora_without_test_clips_in_training_are_not_called_leaked(page):
    """Nor those of TESS, whose speakers are known to both networks, free of leakage."""
    page.query_params["show"], page.query_params["split"] = "Comparison", "resonet"
    (table,) = [table.value for table in page.run().dataframe if "in training %" in table.value]
    assert list(table.columns[3:5]) == [f"accuracy %, {split_title(name)}" for name in ("resonet", "resonet-redrawn")]
    assert table.set_index("test clips")["in training %"]["TESS"] == 0


# --- rows ------------------------------------------------------------------------------------------------------------


def test_a_pair_says_who_is_better_and_by_how_much():
    row = comparison._pair_row(PairwiseTest("a", "b", 30, 10, 0.001, 0.004), n_clips=200)
    assert list(row.values()) == ["a", "b", 10.0, 30, 10, 0.004, True]


def test_each_accuracy_stands_under_its_training():
    (leak,) = results.load_results("resonet").comparison.leaks
    row = next(row for row in comparison._leak_rows(leak, "resonet") if row["test clips"] == "CREMA-D")
    part = leak.parts["crema_d"]
    assert row[f"accuracy %, {split_title('resonet')}"] == round(100 * part.twin["accuracy"], 1)
    assert row[f"accuracy %, {split_title('resonet-redrawn')}"] == round(100 * part.leaked["accuracy"], 1)
    assert row["in training %"] == round(100 * part.groups["training"].share) > 1
    assert comparison._under_each_protocol(leak, "resonet")["CREMA-D"][split_title("resonet")] == part.twin["accuracy"]
    words = f"{part.leaked['accuracy']:.1%} instead of {part.twin['accuracy']:.1%}"
    assert f"CREMA-D were in training, and the accuracy is {words}" in _leaked(leak)


def test_the_difference_to_a_published_figure_is_ours_minus_theirs():
    ranked = results.load_results("resonet").comparison.ranking
    (row,) = [ranking._published(standing) for standing in ranked if standing.model == "resonet"]
    assert row["accuracy %"] != row["accuracy %, published"]
    assert row["accuracy, points"] == pytest.approx(row["accuracy %"] - row["accuracy %, published"], abs=0.11)


def test_a_model_of_all_folds_has_its_spread_and_its_confidence():
    model = SimpleNamespace(
        model="m",
        measured_folds=("0", "1"),
        corpora={"crema_d": {"uar": FoldSpread(0.5, 0.4, 0.6, 2)}},
        mean_uar=0.55,
        mean_confidence=Confidence(ece=0.05, auroc=0.7, coverage=0.8, accuracy_when_answered=0.66),
        calibrated=True,
    )
    assert list(ranking._folds_row(model).values()) == ["m", 2, "50.0 [40.0, 60.0]", 55.0, 0.05, 80, 66]


def test_a_model_trained_on_more_is_ranked_by_the_corpora_in_question():
    standing = results.load_results("speaker-independent-8-0").comparison.ranking[0]
    found = ranking._restricted(standing, ("crema_d",))
    assert [*found.corpora] == ["crema_d"] and found.left_out is None and found.ece is None
    assert found.means["uar"] == standing.corpora["crema_d"]["uar"] != standing.means["uar"]


def test_figures_of_a_corpus_stand_under_their_names():
    found = Verdict("m", unseen={"crema_d": 0.5}, left_out={"crema_d": 0.4}, listeners={"crema_d": 0.41})
    assert [*verdict._row(found, "crema_d").values()] == ["CREMA-D", 40.0, 50.0, 41.0]
    group = SimpleNamespace(uar=0.5, uar_ci=(0.4, 0.6), n_speakers=3, n_clips=90)
    row = fairness._row("sex", "female", group)
    assert row == {"by": "sex", "group": "female", "UAR %": "50.0 [40.0, 60.0]", "speakers": 3, "clips": 90}


def test_the_best_epoch_of_a_run_is_that_of_the_highest_mean():
    curve = tuple({f"{DEV_UAR}crema_d": uar, "seconds": 60.0, "loss": 1.0} for uar in (0.5, 0.6, 0.55))
    row = runs._row(RunRecord("r", {"train": {"epochs": 3}}, curve, 0.0))
    assert (row["best %"], row["at epoch"], row["minutes"], row["CREMA-D %"]) == (60.0, 2, 3.0, 55.0)
    going_on = RunRecord("r", {"train": {"epochs": 4}}, curve, time.time() - runs.STALLED_S / 2)
    assert runs._state(going_on) == "training"  # longer than three epochs ago, but not for long
