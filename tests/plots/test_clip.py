"""Content of the figures of clips and evaluations, and bounds on their size."""

import io
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageColor
from plotly.colors import sample_colorscale

from ser_core.data import CORPUS_NAMES
from ser_core.evaluation.comparison.compare import compare_results
from ser_core.inference.results import MIN_SPEECH_TO_PREDICT_S, Prediction, Trajectory
from ser_core.labels import AROUSAL_VALENCE, EMOTION_STYLES, EMOTIONS, format_probability
from ser_core.metrics import Curve, Reliability
from ser_core.plots.clip.bars import aligned_probability_bars, probability_bars, stacked_probability_bars
from ser_core.plots.clip.spectrogram import MAX_IMAGE_COLUMNS, spectrogram, waveform_envelope
from ser_core.plots.clip.trajectory import trajectory_lines
from ser_core.plots.curves import (
    class_score_radar,
    experiment_dots,
    learning_curves,
    pareto_dots,
    precision_recall_lines,
    reliability_diagram,
    risk_coverage_lines,
    roc_lines,
)
from ser_core.plots.evaluation import CORPUS_SYMBOLS, class_score_dots, emotion_boxplots, ranking_plot, score_bars
from ser_core.plots.heatmaps import (
    DIVERGING_SCALE,
    agreement_heatmap,
    confusion_heatmap,
    count_heatmap,
    score_heatmap,
    significance_heatmap,
)
from ser_core.plots.lessons import log_mel_image, mel_filter_triangles
from ser_core.plots.model_style import FIRST_MODELS, model_style
from ser_core.plots.plane import arousal_valence_plane
from ser_core.plots.style import (
    GREY,
    LEGEND_LINE,
    emotion_label,
    format_duration,
    format_frequency,
    format_time,
    text_colour_on,
)
from ser_core.training.experiments import Experiment
from tests.make_results import three_results

SAMPLE_RATE = 16_000


def tone(hertz, duration_s, amplitude=0.3):
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(int(duration_s * SAMPLE_RATE)) / SAMPLE_RATE)).astype("f4")


def brightness(waveform):
    """Palette indices of the spectrogram, shape = (height, width), top row first."""
    return np.asarray(Image.open(io.BytesIO(spectrogram(waveform).png)))


def prediction(abstain=False, **probabilities):
    values = dict.fromkeys(EMOTIONS, 0.0) | probabilities
    best = max(values, key=values.get)
    return Prediction("m", best, values[best], values, (), abstain, "", 3.0, 2.0, 0.0, 3.0)


def trajectory(probabilities, speech_s):
    start_s = np.arange(len(probabilities)) * 1.5
    return Trajectory("m", EMOTIONS, start_s, start_s + 3, np.array(probabilities), np.array(speech_s), 3.0, 1.5)


def test_the_width_of_the_spectrogram_is_bounded(subtests):
    for n_samples in [1, 320, 16_000, 16_000 * 600]:
        with subtests.test(n_samples=n_samples):
            noise = np.random.default_rng(0).standard_normal(n_samples).astype("f4") * 0.1
            picture = spectrogram(noise)
            assert 1 <= Image.open(io.BytesIO(picture.png)).width <= MAX_IMAGE_COLUMNS
            assert len(picture.png) < 200_000


def test_a_tone_is_brightest_at_its_frequency_tick():
    hertz, height = spectrogram(tone(1000, 1)).frequency_ticks[1]
    rows = brightness(tone(hertz, 1)).mean(axis=1)
    assert 1 - (rows.argmax() + 0.5) / len(rows) == pytest.approx(height, abs=0.02)


def test_a_late_tone_is_on_the_right():
    columns = brightness(np.concatenate([np.zeros(SAMPLE_RATE * 60, "f4"), tone(500, 30)])).mean(axis=0)
    assert np.flatnonzero(columns > columns.max() / 2)[0] / len(columns) == pytest.approx(2 / 3, abs=0.01)


def test_silence_is_black_everywhere():
    assert brightness(np.zeros(SAMPLE_RATE, "f4")).max() == 0


def test_the_envelope_keeps_the_peaks_of_every_interval():
    waveform = np.zeros(100_000, "f4")
    waveform[99_999], waveform[50_000] = 0.9, -0.8
    low, high = waveform_envelope(waveform)
    assert len(low) == len(high) == MAX_IMAGE_COLUMNS
    assert high[-1] == np.float32(0.9) and low.min() == np.float32(-0.8)


def test_each_bar_has_its_colour_symbol_name_and_number():
    (bars,) = probability_bars(prediction(angry=0.7, sad=0.3)).data
    assert bars.y[EMOTIONS.index("angry")] == f"{EMOTION_STYLES['angry'].symbol} angry"
    assert bars.text[EMOTIONS.index("angry")] == "70%"
    assert list(bars.marker.color) == [EMOTION_STYLES[name].colour for name in EMOTIONS]
    assert np.argmax(bars.marker.opacity) == EMOTIONS.index("angry")


def test_no_bar_is_highlighted_when_the_model_abstains():
    (bars,) = probability_bars(prediction(abstain=True, angry=0.2), min_confidence=0.4).data
    assert len(set(bars.marker.opacity)) == 1


def test_the_abstention_threshold_is_drawn():
    figure = probability_bars(prediction(angry=0.7), min_confidence=0.4)
    assert figure.layout.shapes[0].x0 == 0.4


def test_side_by_side_rows_are_complete_and_only_predictions_highlighted():
    sure = prediction(angry=0.7, sad=0.3)
    figure = stacked_probability_bars([sure, replace(sure, model="unsure", abstain=True)])
    assert [bar.name for bar in figure.data] == [emotion_label(emotion) for emotion in EMOTIONS]
    assert np.allclose(np.sum([bar.x for bar in figure.data], axis=0), 1)
    bright = {
        (bar.name, row) for bar in figure.data for row, o in zip(bar.y, bar.marker.opacity, strict=True) if o == 1
    }
    assert bright == {(emotion_label("angry"), "m")}


def test_a_full_bar_ends_before_the_next_column():
    first, second, *_ = aligned_probability_bars([prediction(angry=1.0)]).data
    assert first.base[0] + 1 < second.base[0]


@pytest.mark.parametrize("speech_s", [0, MIN_SPEECH_TO_PREDICT_S / 2])
def test_the_trajectory_is_interrupted_in_silence(speech_s):
    row = [0.6, 0.2, 0.2, 0, 0, 0, 0, 0]
    figure = trajectory_lines(trajectory([row, row, row], speech_s=[3, speech_s, 3]), 6.0)
    assert np.isnan(figure.data[0].y).tolist() == [False, True, False]
    assert figure.data[0].x.tolist() == [1.5, 3.0, 4.5]
    assert figure.layout.xaxis.range == (0, 6.0)


def test_improbable_emotions_are_hidden_but_three_are_always_drawn():
    figure = trajectory_lines(trajectory([[0.15, 0.14, 0.13, 0.12, 0.12, 0.12, 0.11, 0.11]], speech_s=[3]), 3.0)
    assert [line.visible for line in figure.data] == [True] * 3 + ["legendonly"] * 5


def test_the_time_axis_agrees_with_the_player(subtests):
    for duration_s in [1.0, 6.6, 30.5, 600, 3600]:
        with subtests.test(duration_s=duration_s):
            axis = trajectory_lines(trajectory([[0.125] * 8], speech_s=[1]), duration_s).layout.xaxis
            assert 1 <= len(axis.tickvals) <= 7 and axis.tickvals[-1] <= duration_s
            assert axis.ticktext[-1] == format_time(axis.tickvals[-1])


def test_times_are_formatted_as_minutes_and_seconds():
    assert [format_time(time_s) for time_s in (0, 5, 59.96, 65.34, 3600)] == ["0:00", "0:05", "1:00", "1:05.3", "60:00"]
    durations_s = (12.5, 59.94, 59.96, 60, 119.7, 125)
    expected = ["12.5 s", "59.9 s", "1 min 0 s", "1 min 0 s", "2 min 0 s", "2 min 5 s"]
    assert [format_duration(duration_s) for duration_s in durations_s] == expected


def test_a_trajectory_without_speech_can_be_drawn():
    figure = trajectory_lines(trajectory([[0.125] * 8], speech_s=[0]), 3.0)
    assert np.isnan(figure.data[0].y).all()


# --- models side by side ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def comparison():
    return compare_results(three_results(), {"rows": {"middle": {"uar": 0.5, "accuracy": 0.4}}})


def named_traces(figure):
    return {trace.name: trace for trace in figure.data}


def test_every_corpus_has_a_symbol_of_its_own():
    assert {*CORPUS_NAMES} <= {*CORPUS_SYMBOLS} and len({*CORPUS_SYMBOLS.values()}) == len(CORPUS_SYMBOLS)


def test_the_ranking_has_the_mean_and_each_corpus(comparison):
    traces = named_traces(ranking_plot(comparison.ranking, "accuracy"))
    mean = traces["mean of speech"]
    assert mean.y == ("best", "middle", "worst") and mean.x[0] == 1
    assert mean.x == tuple(entry.means["accuracy"] for entry in comparison.ranking)
    shown, uar = (tuple(entry.corpora["savee"][name] for entry in comparison.ranking) for name in ("accuracy", "uar"))
    assert traces["SAVEE"].x == shown != uar
    assert ranking_plot(comparison.ranking, "macro_f1").layout.xaxis.title.text == "macro-F1"


def test_the_ranking_has_a_legend_that_a_phone_shows_and_names_its_lines_above(comparison):
    figure = ranking_plot(comparison.ranking, "uar", {"chance": 0.125, "listener, SAVEE": 0.665})
    n_lines = -(-len(figure.data) // 2)
    assert LEGEND_LINE * n_lines <= figure.layout.legend.maxheight * figure.layout.height
    assert [note.text for note in figure.layout.annotations] == ["chance<br>12.5%", "listener<br>SAVEE<br>66.5%"]


def test_a_marker_at_100_percent_is_whole():
    figure = class_score_dots({"a": {"happy": 1.0}})
    assert figure.layout.xaxis.range[1] > figure.data[0].x[0]


def test_class_dots_name_every_emotion_by_colour_symbol_and_word():
    figure = class_score_dots({"a": {"happy": 0.5, "sad": 0.2}, "b": {"happy": 0.7}})
    happy, sad = figure.data
    assert (happy.name, happy.x, happy.y) == (f"{EMOTION_STYLES['happy'].symbol} happy", (0.5, 0.7), ("a", "b"))
    assert (sad.marker.color, sad.marker.symbol, sad.y) == (
        EMOTION_STYLES["sad"].colour,
        EMOTION_STYLES["sad"].marker,
        ("a",),
    )
    assert figure.layout.yaxis.categoryarray == ("a", "b")


def test_the_grid_leaves_cells_without_a_value_empty():
    heat, _ = score_heatmap({"a": {"TESS": 0.5}, "b": {"TESS": 0.25, "SAVEE": 1.0}}).data
    assert heat.x == ("TESS", "SAVEE") and list(heat.hovertext) == [["50.0%", ""], ["25.0%", "100.0%"]]
    assert heat.z[0][1] is None


def test_pairs_show_the_gain_where_it_is_significant(comparison):
    figure = significance_heatmap(comparison)
    heat, _ = figure.data
    assert list(heat.hovertext) == [["", "", "+67"], ["", "", ""], ["−67", "", ""]]
    assert heat.z[0][1] == pytest.approx(5 / 12)
    assert heat.zmin == -heat.zmax
    assert figure.layout.xaxis.ticktext == ("1", "2", "3") and figure.layout.yaxis.ticktext[1] == "middle 2 "


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours, in [1, 21], as WCAG 2.2 defines it."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = map(float, re.findall(r"[\d.]+", colour)) if colour[0] == "r" else ImageColor.getrgb(colour)
    steps = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (red / 255, green / 255, blue / 255)]
    return 0.2126 * steps[0] + 0.7152 * steps[1] + 0.0722 * steps[2]


def _inks(figure) -> list[tuple[str, float]]:
    """Colour of the text and place on the colour scale of each cell that has a text."""
    return [
        (heat.textfont.color, (z - heat.zmin) / (heat.zmax - heat.zmin))
        for heat in figure.data[:2]
        for row in zip(heat.z, heat.text, strict=True)
        for z, text in zip(*row, strict=True)
        if text.strip()
    ]


def test_text_has_contrast_on_every_colour_of_the_scales():
    for scale in ("Viridis", DIVERGING_SCALE):
        for colour in sample_colorscale(scale, np.linspace(0, 1, 1001).tolist()):
            assert contrast(text_colour_on(colour), colour) >= 4.5
    for look in EMOTION_STYLES.values():
        assert contrast(text_colour_on(look.colour), look.colour) >= 4.5


@pytest.mark.slow
def test_every_number_of_a_heat_map_has_contrast(comparison):
    shares = np.linspace(0, 1, 101)
    for figure, n_numbers in (
        (score_heatmap({"a": {str(share): share for share in shares}}), 101),
        (agreement_heatmap(np.tile(shares, (101, 1)), [*map(str, shares)]), 101 * 100),
        (count_heatmap({str(n): {"sad": n} for n in range(1, 101)}), 100),
        (confusion_heatmap([[n, 100 - n, *[0] * 6] for n in range(8)], EMOTIONS), 15),
        (significance_heatmap(comparison), 2),
    ):
        heat = figure.data[0]
        inks, places = zip(*_inks(figure), strict=True)
        assert len(inks) == n_numbers and figure.data[1].opacity == 0
        for ink, colour in zip(inks, sample_colorscale([*map(list, heat.colorscale)], places), strict=True):
            assert contrast(ink, colour) >= 4.5


def test_every_number_in_a_bar_has_contrast():
    figure = score_bars({"a": {str(i): 0.5 for i in range(8)}})
    assert len(figure.data) == 8
    for bar in figure.data:
        assert contrast(bar.insidetextfont.color, bar.marker.color) >= 4.5


def test_agreement_is_in_percent_and_the_diagonal_is_empty():
    heat, _ = agreement_heatmap(np.array([[1.0, 0.25], [0.25, 1.0]]), ["a", "b"]).data
    assert list(heat.hovertext) == [["", "25"], ["25", ""]] and heat.x == heat.y == ("a", "b")


def test_a_grid_of_one_model_can_be_drawn(comparison):
    heat, _ = significance_heatmap(replace(comparison, ranking=comparison.ranking[:1], pairs=())).data
    assert list(heat.text) == list(heat.hovertext) == [[""]]


def test_confusion_is_in_shares_of_the_true_class():
    counts = np.zeros((8, 8), int)
    counts[2, 2], counts[2, 3], counts[4, 4] = 3, 1, 5
    heat, _, cells = confusion_heatmap(counts, EMOTIONS).data
    assert (
        heat.y == (f"{EMOTION_STYLES['happy'].symbol} happy", f"{EMOTION_STYLES['angry'].symbol} angry")
        and len(heat.x) == 8
    )
    assert (*heat.hovertext[0][2:4], heat.hovertext[1][4], heat.hovertext[1][0]) == ("75%", "25%", "100%", "")
    assert len(cells.x) == 16 and [*cells.customdata[3]] == ["happy", "sad"] and cells.x[3].endswith("sad")
    heat, _, _ = confusion_heatmap(counts, EMOTIONS, counts=True).data
    assert (heat.hovertext[0][2], heat.hovertext[1][4], heat.hovertext[1][0]) == ("3", "5", "") and heat.z[0][2] == 0.75


def test_reliability_is_drawn_where_there_are_clips():
    bins = Reliability((0, 30, 10), (0.0, 0.5, 0.9), (0.0, 0.4, 1.0))
    diagonal, line = reliability_diagram({"after": bins}, "prosonet").data
    assert line.x.tolist() == [0.5, 0.9] and line.y.tolist() == [0.4, 1.0] and line.customdata.tolist() == [30, 10]
    assert line.marker.size[0] > line.marker.size[1] and line.name == "after, ECE 0.100"
    assert tuple(diagonal.x) == tuple(diagonal.y) == (0, 1)
    _, before, after = reliability_diagram({"before": bins, "after": bins}, "prosonet").data
    assert (before.line.color, after.line.color) == (GREY, model_style("prosonet").colour)


def test_pareto_optimal_models_are_joined():
    models = {"slow": (3.0, 0.7, 1.0), "good": (2.0, 0.7, 16.0), "fast": (1.0, 0.5, 4.0), "worse": (2.0, 0.6, 1.0)}
    figure = pareto_dots(models)
    line, slow, good, fast, _ = figure.data
    assert (line.x, line.y) == ((1.0, 2.0), (0.5, 0.7)) and [slow.name, good.name] == ["slow", "good"]
    assert good.marker.size > fast.marker.size and figure.layout.xaxis.type == "log"


@pytest.mark.parametrize(
    ("latencies_ms", "ends_ms"), [((23.4, 41.6), (20, 50)), ((20, 20), (20, 20)), ((0.5, 900), (0.5, 900))]
)
def test_the_axis_of_latency_goes_from_tick_to_tick(latencies_ms, ends_ms):
    low, high = pareto_dots({str(i): (ms, 0.5, 1.0) for i, ms in enumerate(latencies_ms)}).layout.xaxis.range
    assert 0.5 * ends_ms[0] < 10**low < ends_ms[0] and ends_ms[1] < 10**high < 2 * ends_ms[1]


@pytest.mark.parametrize(
    ("draw", "area", "n_more"), [(roc_lines, "AUC 0.75", 1), (precision_recall_lines, "AP 0.75", 0)]
)
def test_curves_of_emotions_have_colour_symbol_and_area(draw, area, n_more):
    curves = {name: Curve(np.linspace(0, 1, 50), np.linspace(0, 1, 50) ** 2, 0.75) for name in ("sad", "fear")}
    figure = draw(curves)
    line, marks = figure.data[:2]
    assert line.line.color == marks.marker.color == EMOTION_STYLES["sad"].colour
    assert (
        marks.marker.symbol == EMOTION_STYLES["sad"].marker
        and marks.name == f"{EMOTION_STYLES['sad'].symbol} sad, {area}"
    )
    assert len(figure.data) == 4 + n_more
    assert set(marks.x) <= set(line.x) and marks.x.min() > 0 and marks.x.max() < 1


def test_a_curve_of_two_points_can_be_drawn():
    assert roc_lines({"sad": Curve(np.array([0.0, 1.0]), np.array([0.0, 1.0]), 0.5)}).data


def test_models_have_different_styles_and_no_colour_of_an_emotion():
    curve = Curve(np.linspace(0, 1, 20), np.zeros(20), 0.0)
    figure = risk_coverage_lines(dict.fromkeys(FIRST_MODELS, curve))
    lines, marks = figure.data[::2], figure.data[1::2]
    looks = {(line.line.color, line.line.dash, mark.marker.symbol) for line, mark in zip(lines, marks, strict=True)}
    assert len(looks) == len({(colour, symbol) for colour, _, symbol in looks}) == len(FIRST_MODELS)
    assert not {colour for colour, *_ in looks} & {style.colour for style in EMOTION_STYLES.values()}
    assert model_style("my own") == model_style("my own")


def test_the_radar_is_closed_and_on_the_same_axes():
    figure = class_score_radar(
        {"a": {"happy": 0.1, "sad": 0.2, "fear": 0.3}, "b": {"fear": 0.6, "sad": 0.5, "happy": 0.4}}
    )
    assert [trace.r for trace in figure.data] == [(0.1, 0.2, 0.3, 0.1), (0.4, 0.5, 0.6, 0.4)]
    assert figure.data[0].theta[0] == figure.data[0].theta[-1] == f"{EMOTION_STYLES['happy'].symbol} happy"


def test_boxes_show_the_measured_percentiles():
    spread = {"p5": 1.0, "q1": 2.0, "median": 3.0, "q3": 4.0, "p95": 5.0}
    groups = [{"emotion": e, "row": row} | spread for row in ("TESS", "SAVEE") for e in ("sad", "fear")]
    figure = emotion_boxplots(groups, "Pitch [Hz]")
    assert [box.name for box in figure.data] == [emotion_label("sad"), emotion_label("fear")]
    box = figure.data[0]
    assert (box.lowerfence[0], box.q1[0], box.median[0], box.q3[0], box.upperfence[0]) == (1, 2, 3, 4, 5)
    assert tuple(box.y) == ("TESS", "SAVEE") and figure.layout.xaxis.title.text == "Pitch [Hz]"


def test_a_row_without_clips_of_an_emotion_has_an_empty_cell():
    heat, _ = count_heatmap({"TESS": {"sad": 3}}).data
    assert count_heatmap({"1001": {"sad": 3}, "1004": {"sad": 3}}).layout.yaxis.type == "category"  # no years, no gaps
    assert heat.hovertext[0][list(EMOTION_STYLES).index("sad")] == "3" and "".join(heat.hovertext[0]) == "3"


def test_runs_of_different_length_share_an_axis():
    figure = learning_curves({"a": [1.0, 0.5, 0.25], "b": [2.0]}, "loss")
    one, other = figure.data
    assert (figure.layout.xaxis.tick0, figure.layout.xaxis.dtick) == (1, 1)
    assert (list(one.x), list(one.y)) == ([1, 2, 3], [1.0, 0.5, 0.25]) and list(other.x) == [1]
    assert one.line.color != other.line.color and one.marker.symbol != other.marker.symbol


def test_shares_are_percent_on_every_axis(comparison):
    assert learning_curves({"a": [0.5]}, "loss").layout.yaxis.tickformat is None
    curves = risk_coverage_lines({"a": Curve(np.array([0.0, 1.0]), np.array([0.0, 0.5]), 0.25)}).layout
    axes = ranking_plot(comparison.ranking, "uar").layout.xaxis, curves.xaxis, curves.yaxis
    assert {axis.tickformat for axis in axes} == {".0%"}
    own_range = (
        learning_curves({"a": [0.601, 0.603]}, "UAR", is_share=True),
        pareto_dots({"a": (3.0, 0.601, 1.0), "b": (2.0, 0.603, 1.0)}),
        experiment_dots(()),
    )
    assert {figure.layout.yaxis.tickformat for figure in own_range} == {".3~%"}  # no label twice: 60.1%, 60.15%, 60.2%


def test_every_axis_of_frequency_has_its_unit():
    assert [format_frequency(hertz) for hertz in (250, 1000, 2500.0, 8000)] == ["250 Hz", "1 kHz", "2.5 kHz", "8 kHz"]
    filters, image = mel_filter_triangles(16, 8000), log_mel_image(np.zeros((4, 4)), 8000, 0.0, 1.0)
    for ticks in (filters.layout.xaxis.ticktext, image.layout.yaxis.ticktext):
        assert ticks and all(tick.strip().endswith("Hz") for tick in ticks) and "4 kHz" in "".join(ticks)


def test_the_best_experiments_of_their_kind_are_filled():
    made = [
        Experiment("q", model, "p", "0", 8, 0, {}, {"savee": uar, "tess": 0.5}, 1.0, kept)
        for model, uar, kept in (("a", 0.4, False), ("b", 0.3, True), ("a", 0.6, True))
    ]
    first, second = experiment_dots(made).data
    assert (first.name, [*first.x], [*first.y]) == ("a", [1, 3], [pytest.approx(0.45), pytest.approx(0.55)])
    assert [*first.marker.color] == ["rgba(0,0,0,0)", first.marker.line.color] and [*second.x] == [2]


def test_no_model_is_certain():
    assert [format_probability(p) for p in (0.0, 0.994, 0.995, 1.0)] == ["0%", "99%", ">99%", ">99%"]


def test_the_plane_has_valence_to_the_right_and_arousal_upwards():
    own, other, trail = np.array([0.4, -0.3]), np.array([[0.1, 0.2]]), np.array([[0.5, -0.1], [0.6, -0.2]])
    figure = arousal_valence_plane(own, "sad", other, ["fear"], trail)
    dots, names, line, symbol = figure.data
    assert "valence" in figure.layout.xaxis.title.text and "arousal" in figure.layout.yaxis.title.text
    assert (dots.name, *dots.x, *dots.y) == ("fear", 0.2, 0.1) and (*symbol.x, *symbol.y) == (-0.3, 0.4)
    assert (*line.x, *line.y) == (-0.1, -0.2, 0.5, 0.6) and symbol.marker.color == EMOTION_STYLES["sad"].colour
    places = {text: (y, x) for text, x, y in zip(names.text, names.x, names.y, strict=True)}
    assert places == {emotion_label(name): place for name, place in AROUSAL_VALENCE.items()}


def test_the_name_that_the_prediction_would_cover_makes_room():
    own = np.array([AROUSAL_VALENCE["happy"][0], AROUSAL_VALENCE["happy"][1] - 0.05])
    names = next(t for t in arousal_valence_plane(own, "happy", np.zeros((1, 2)), ["sad"]).data if t.mode == "text")
    moved = [(text, place) for text, place in zip(names.text, names.textposition, strict=True) if "<br>" in text]
    assert moved == [("<br>▲ happy", "bottom center")]
