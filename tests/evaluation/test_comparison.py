"""Comparisons: ranking and tests against counts by hand, refusals, the published figures, and the leak."""

import json
from dataclasses import replace

import numpy as np
import pytest

from ser_core import paths
from ser_core.data.protocols.splits import protocol_split
from ser_core.data.utterances import SPEECH_CORPORA
from ser_core.evaluation.comparison.compare import ComparisonError, compare_results
from ser_core.evaluation.comparison.published import published_table
from ser_core.evaluation.cross_validation import left_out_uars
from ser_core.evaluation.results import list_results, load_result
from ser_core.evaluation.summary.verdict import listener_uars
from ser_core.models.registry import MODELS
from tests.make_results import REDRAWN, make_result, some_clips, three_results

N_PUBLISHED = {"crema_d": 814, "tess": 420, "ravdess": 240, "savee": 72}


@pytest.fixture
def three():
    return three_results()


def permuted(result, order):
    predictions = result.predictions
    utterances = tuple(predictions.utterances[i] for i in order)
    rows = {"probabilities": predictions.probabilities[order], "abstained": predictions.abstained[order]}
    return replace(result, predictions=replace(predictions, utterances=utterances, **rows))


def test_the_best_uar_stands_first(three):
    found = compare_results(three)
    assert [standing.model for standing in found.ranking] == ["best", "middle", "worst"]
    assert (found.split, found.n_clips, found.note) == ("resonet", 12, "shares speakers on SAVEE and TESS")
    assert found.ranking[0].pooled["uar"] == 1 and found.ranking[2].pooled["accuracy"] == pytest.approx(
        4 / 12, abs=1e-4
    )
    assert set(found.ranking[0].corpora) == set(SPEECH_CORPORA)


def test_pairs_are_those_counted_by_hand(three):
    pairs = {(p.first, p.second): p for p in compare_results(three).pairs}
    assert {names: (p.n_only_first, p.n_only_second) for names, p in pairs.items()} == {
        ("best", "middle"): (5, 0),
        ("best", "worst"): (8, 0),
        ("middle", "worst"): (3, 0),
    }
    assert [p.p_value for p in pairs.values()] == pytest.approx([2 / 2**5, 2 / 2**8, 2 / 2**3])
    assert [p.p_holm for p in pairs.values()] == pytest.approx([2 * 2 / 2**5, 3 * 2 / 2**8, 2 / 2**3])
    assert [p.significant for p in pairs.values()] == [False, True, False]


def test_answers_in_another_order_are_the_same_answers(three):
    worst, best, middle = three
    shuffled = [worst, best, permuted(middle, np.arange(12)[::-1])]
    assert compare_results(shuffled).pairs == compare_results(three).pairs


def test_two_models_that_err_on_other_clips():
    clips = some_clips(5)
    right = np.arange(20) < 12
    other = right.copy()
    other[:6], other[19] = False, True
    (pair,) = compare_results([make_result("a", clips, right), make_result("b", clips, other)]).pairs
    assert (pair.n_only_first, pair.n_only_second) == (6, 1)
    assert pair.p_value == pair.p_holm == pytest.approx(2 * (1 + 7) / 2**7)


def test_song_does_not_decide_about_speech():
    test = protocol_split("speaker-independent", 0).test
    speech, song = ([i for i in test if i.startswith(f"{corpus}/")] for corpus in ("ravdess", "ravdess_song"))
    clips = [*speech[:6], "savee/DC_a01", song[0]]
    good, bad = np.arange(8) < 7, np.arange(8) == 7
    ranking = [make_result(name, clips, right, "speaker-independent", "0") for name, right in (("s", bad), ("t", good))]
    found = compare_results(ranking)
    assert found.n_clips == 7 and found.pooled_corpora == ("ravdess", "savee")
    assert [s.model for s in found.ranking] == ["t", "s"] and found.pairs[0].n_only_second == 0
    assert "ravdess_song" in found.ranking[0].corpora


def test_other_clips_are_refused_with_file_and_cure(three):
    fewer = make_result("short", some_clips()[:-2], np.ones(10, bool))
    with pytest.raises(ComparisonError, match=r"resonet/short\.json .*2 .*0 .*evaluate short"):
        compare_results([fewer, *three])
    with pytest.raises(ComparisonError, match=r"short\.json"):  # of two files the shorter one is at fault
        compare_results([three[0], fewer])


def test_what_cannot_be_compared_is_refused(three):
    with pytest.raises(ComparisonError, match=r"scripts\.evaluate"):
        compare_results([])
    with pytest.raises(ComparisonError, match="resonet, speaker-independent-0"):
        compare_results([three[0], replace(three[1], protocol="speaker-independent", fold="0")])
    labels = three[1].predictions.labels[::-1]
    with pytest.raises(ComparisonError, match=", ".join(labels)):
        compare_results([three[0], replace(three[1], predictions=replace(three[1].predictions, labels=labels))])
    with pytest.raises(ComparisonError, match=r"^resonet: .*test clips"):
        compare_results([replace(three[0], leak=True)])


def test_the_distance_to_published_figures(three):
    rows = {
        "best": {"accuracy": 0.9, "macro_f1": 0.95, "corpora": {"tess": 1.0, "savee": 0.4}},
        "middle": {"accuracy": 0.6, "macro_f1": 0.1},
        "worst": {"title": "without figures"},
    }
    best, middle, worst = compare_results(three, {"rows": rows}).ranking
    assert best.difference == {"accuracy": 0.1, "macro_f1": 0.05, "corpora": {"tess": 0.0, "savee": 0.6}}
    assert best.reached is True
    assert middle.difference["accuracy"] == pytest.approx(7 / 12 - 0.6, abs=1e-4) and middle.reached is False
    assert worst.difference == {"corpora": {}} and worst.reached is None


@pytest.mark.parametrize("content", [None, "{"])
def test_without_the_file_there_is_no_published_table(tmp_path, monkeypatch, content):
    monkeypatch.setattr(paths, "PUBLISHED_TABLES", tmp_path / "published.json")
    if content:
        paths.PUBLISHED_TABLES.write_text(content)
    assert published_table("speaker-independent") is None and set(listener_uars()) <= {"crema_d"}


def test_published_figures_agree_with_themselves():
    assert published_table("speaker-independent-0") is None
    unseen = published_table("speaker-independent")["rows"]
    assert all(0.4 < uar < 0.85 for row in unseen.values() for uar in row["uar"].values())
    for name in ("resonet", "ravdess-random"):
        table = published_table(name)
        assert table["source"] and table["note"] and set(table["rows"]) <= set(MODELS)
        for row in table["rows"].values():
            assert all(0 < value <= 1 for key, value in row.items() if isinstance(value, float))
            if "corpora" in row:
                pooled = np.average(list(row["corpora"].values()), weights=[N_PUBLISHED[c] for c in row["corpora"]])
                assert pooled == pytest.approx(row["accuracy"], abs=0.001)
            for measure in ("accuracy", "macro_f1"):
                low, high = row.get(f"{measure}_ci", (0, 1))
                assert low < row.get(measure, 0.5) < high


@pytest.fixture
def leaked_clips():
    """Four clips of CREMA-D, three of them in the training part of the second draw; four of RAVDESS, two and two."""
    test, known = protocol_split("resonet").test, protocol_split(REDRAWN)
    crema_d = [i for i in test if i.startswith("crema_d/")]
    trained, unseen = [i for i in crema_d if i in known.train], [i for i in crema_d if i not in known.train]
    ravdess = [[i for i in test if i.startswith("ravdess/") and i in part][:2] for part in (known.train, known.dev)]
    return trained[:3] + unseen[:1] + ravdess[0] + ravdess[1]


def test_the_leak_is_told_apart(leaked_clips):
    known = protocol_split(REDRAWN).train
    leaked = make_result("resonet-leak", leaked_clips, [i in known for i in leaked_clips])
    twin = make_result("resonet", leaked_clips, [True, False, False, True, True, False, False, False])
    found = compare_results([leaked, twin], {"rows": {"resonet": {"accuracy": 0.8, "corpora": {"crema_d": 0.7}}}})
    assert [standing.model for standing in found.ranking] == ["resonet"] and found.pairs == ()
    (leak,) = found.leaks
    assert leak.trained_on["protocol"] == REDRAWN
    crema_d, ravdess, pooled = leak.parts["crema_d"], leak.parts["ravdess"], leak.parts["pooled"]
    assert {name: group.n_clips for name, group in crema_d.groups.items()} == {
        "training": 3,
        "development": 0,
        "unseen": 1,
    }
    assert crema_d.groups["training"].share == 0.75
    assert (crema_d.groups["training"].accuracy, crema_d.groups["unseen"].accuracy) == (1, 0)
    assert crema_d.groups["training"].twin_accuracy == pytest.approx(1 / 3)
    assert crema_d.groups["unseen"].twin_accuracy == 1 and crema_d.groups["development"].accuracy is None
    assert (ravdess.groups["training"].share, ravdess.groups["development"].share) == (0.5, 0.5)
    assert pooled.n_clips == 8 and pooled.groups["training"].share == 5 / 8
    assert (pooled.leaked["accuracy"], pooled.twin["accuracy"]) == (0.625, 0.375)
    assert (pooled.published, crema_d.published, ravdess.published) == ({"accuracy": 0.8}, {"accuracy": 0.7}, None)


def test_a_leak_without_its_honest_twin(leaked_clips):
    leaked = make_result("resonet-leak", leaked_clips, np.ones(8, bool))
    (leak,) = compare_results([leaked, make_result("other", leaked_clips, np.ones(8, bool))]).leaks
    assert leak.parts["pooled"].twin is None and leak.parts["pooled"].groups["training"].twin_accuracy is None


def test_the_result_is_json(three):
    found = compare_results(three).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["pairs"][1]["p_value"] == 0.007812


def test_written_comparisons_are_those_of_the_result_files():
    written = list(paths.RESULTS.glob("comparison-*.json"))
    assert written
    for path in written:
        name = path.stem.removeprefix("comparison-")
        found = compare_results([load_result(p) for p in list_results(name)], published_table(name), left_out_uars())
        assert json.loads(path.read_text()) == found.to_dict(), f"python -m scripts.compare --split {name}"
