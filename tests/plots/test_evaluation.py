"""Figures of scores: every value stands in its row, under its name, on its side."""

from types import SimpleNamespace

import pytest

from ser_core.evaluation.own_data.confounds import Confound
from ser_core.evaluation.summary.verdict import Verdict
from ser_core.plots.evaluation import group_intervals, verdict_plot
from ser_core.plots.own_data import confound_bars, emotion_count_bars
from ser_core.plots.style import GREY, emotion_label


def test_the_verdict_has_each_kind_of_evidence_under_its_name():
    verdict = Verdict("m", {"tess": 0.9, "savee": 0.7}, {"tess": 0.5}, {"savee": 0.6})
    figure = verdict_plot(verdict)
    marks = {trace.name: dict(zip(trace.y, trace.x, strict=True)) for trace in figure.data if trace.mode == "markers"}
    assert marks == {
        "unseen speakers of a corpus it was trained on": {"TESS": 0.9, "SAVEE": 0.7},
        "corpus left out of training": {"TESS": 0.5},
        "one listener, voice alone": {"SAVEE": 0.6},
    }
    joined = [(trace.y[0], sorted(trace.x)) for trace in figure.data if trace.hoverinfo == "skip"]
    assert sorted(joined) == [("SAVEE", [0.7]), ("TESS", [0.5, 0.9])]


def test_an_interval_reaches_from_its_low_to_its_high_end():
    scores = {"women": SimpleNamespace(uar=0.6, uar_ci=(0.5, 0.8)), "men": SimpleNamespace(uar=0.4, uar_ci=None)}
    known, open_marker, chance = group_intervals(scores, "m", {"chance": 0.125}).data
    assert (known.y, open_marker.y, chance.name) == (("women",), ("men",), "chance, 12.5%")
    assert (known.x[0] - known.error_x.arrayminus[0], known.x[0] + known.error_x.array[0]) == pytest.approx((0.5, 0.8))
    assert open_marker.marker.symbol == "circle-open" and open_marker.error_x.array is None


def test_the_pale_part_of_a_count_is_what_the_model_is_not_sure_of():
    answered, unsure = emotion_count_bars({"sad": (5, 2), "happy": (0, 0), "fear": (0, 1)}).data
    assert [*answered.y] == [emotion_label("sad"), emotion_label("fear")]
    assert ([*answered.x], [*unsure.x], [*unsure.text]) == ([5, 0], [2, 1], ["7", "1"])
    assert answered.marker.opacity > unsure.marker.opacity and unsure.name == "not sure"


def test_a_confound_is_coloured_where_it_gives_the_label_away():
    bars, chance = confound_bars([Confound("speaker", 0.9, 0.3, 0.001), Confound("level", 0.4, 0.35, 0.2)]).data
    assert ([*bars.x], [*chance.x], [*bars.y]) == ([0.9, 0.4], [0.3, 0.35], ["speaker", "level"])
    assert [colour == GREY for colour in bars.marker.color] == [False, True]
