"""The view "Why" without a browser: every method, both tests, worse sound, and clips that cannot be explained."""

import math
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from pages.ui import model_picker
from pages.ui.session import UploadedSource
from pages.ui.voice.personal import PersonalModel
from pages.workspace.sound import SoundState
from pages.workspace.why import methods, state
from pages.workspace.why.checks import _against_chance, _sanity_words
from pages.workspace.why.controls import AUTOMATIC, WhyState
from pages.workspace.why.export import map_rows
from pages.workspace.why.listening import ORDER, _title
from pages.workspace.why.state import ExplainedWindow, most_confident_window
from ser_core.audio import FrontendConfig
from ser_core.inference.enrolment import speaker_reference
from ser_core.inference.forward import calibrated_probabilities, run_windows
from ser_core.inference.model_cache import unload_models
from ser_core.inference.prediction.predict import predict, predict_with_windows
from ser_core.inference.queue import inference_queue
from ser_core.inference.results import Trajectory
from ser_core.interpret.attribution.explain import (
    EXPECTED_GRADIENTS,
    GRAD_CAM,
    INTEGRATED_GRADIENTS,
    OCCLUSION,
    SELF_ATTENTION,
    SILENCING,
    Explanation,
)
from ser_core.interpret.attribution.features import AttributionTarget
from ser_core.interpret.faithfulness import FaithfulnessCurves
from ser_core.interpret.probes import PERTURBATION_PROBES
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import Calibration, save_model
from ser_core.models.zoo.egemaps.classifier import EgemapsClassifier, EgemapsConfig
from ser_core.plots.style import emotion_label
from tests.make_page import open_view, session_of, texts, upload, wav

SPEECH = Path("assets/samples/low_slow.ogg").read_bytes()
METHODS = [GRAD_CAM, OCCLUSION, INTEGRATED_GRADIENTS, EXPECTED_GRADIENTS, SELF_ATTENTION, SILENCING]


def box(page: AppTest, label: str):
    (found,) = [found for found in page.selectbox if found.label == label]
    return found


@pytest.fixture
def new(checkpoints, monkeypatch) -> AppTest:
    """Not yet run; with two small models that were never trained, and no corpora."""
    monkeypatch.delenv("SER_CORPORA", raising=False)
    page = open_view("why", timeout_s=200)
    # the automatic choice would test all methods on a model that has learned nothing
    session_of(page).page(WhyState).methods = {"small": GRAD_CAM, "other": GRAD_CAM}
    return page


@pytest.fixture
def page(new) -> AppTest:
    return new.run()


@pytest.fixture
def opened(new) -> AppTest:
    """With a clip, explained by one of the models."""
    session_of(new).source = UploadedSource("upload", "mine.ogg", SPEECH)
    new.query_params["model"] = "small"
    return new.run()


def shares(page: AppTest) -> list[int]:
    """Percent of the emotion for the relevant part, the remainder and everything."""
    return [int(n) for element in page.markdown for n in re.findall(r"\*\*(\d+)%\*\*", element.value)]


def test_an_empty_page_says_what_it_does_and_where_audio_goes(page):
    assert not page.exception and not session_of(page).clip and not page.get("plotly_chart")
    assert "kept in this session" in texts(page)


def test_the_finding_comes_before_the_parts_that_show_it(opened):
    said = [element.value for element in opened.markdown]
    (finding,) = [i for i, text in enumerate(said) if text.startswith(("Half of", "Nothing here"))]
    assert all(finding < i for i, text in enumerate(said) if re.search(r"\*\*\d+%\*\*", text)) and shares(opened)


def test_a_clip_is_explained_from_its_most_telling_window(opened, new_model, speech):
    options = box(opened, "Window").options
    _, windows = predict_with_windows(new_model(), speech)
    assert len(options) == len(windows.start_s) > 2
    assert [name.split(" (")[0].lstrip("✓~✗ ") for name in box(opened, "Method").options[1:]] == METHODS
    emotion = box(opened, "Why").value
    assert emotion in EMOTIONS and "small, " in texts(opened) and "version" not in texts(opened)
    assert f"{emotion_label(emotion)} " in options[box(opened, "Window").value]
    assert len(opened.get("plotly_chart")) == 2 and "Half of what supports it is from" in texts(opened)
    assert len(shares(opened)) == 3
    assert len(inference_queue) == 0


def test_every_method_is_explained_and_tested(opened, subtests):
    words = {
        INTEGRATED_GRADIENTS: "The map sums to",
        SELF_ATTENTION: "Half of the attention is",
        SILENCING: "fall silent",
    }
    for method in METHODS:
        with subtests.test(method=method):
            box(opened, "Method").set_value(method).run()
            assert not opened.exception and not opened.error and words.get(method, method) in texts(opened)
            opened.run()  # its name in the menu now has the result of the tests
            menu = box(opened, "Method")
            assert menu.value == method and "tests)" in menu.options[1 + METHODS.index(method)]


def test_the_automatic_method_is_the_first_that_passes_its_tests(opened, monkeypatch):
    monkeypatch.setattr(FaithfulnessCurves, "n_passed", property(lambda found: 2 if len(tried()) > 1 else 0))

    def tried() -> set:
        return {key[3] for key in session_of(opened).memory if key[1] == "faithfulness"}

    box(opened, "Method").set_value(AUTOMATIC).run()
    assert not opened.exception and tried() == {GRAD_CAM, OCCLUSION}
    assert AUTOMATIC in box(opened, "Method").options[0].lower()


def test_why_not_another_emotion(opened):
    emotion = box(opened, "Why").value
    other = "sad" if emotion != "sad" else "fear"
    before = shares(opened)
    box(opened, "Why not").set_value(other).run()
    assert not opened.exception and "and not" in opened.subheader[0].value
    assert emotion not in box(opened, "Why not").options and shares(opened)[-1] == before[-1]
    first, second = (found.relevance for key, found in session_of(opened).memory.items() if key[1] == "explain")
    assert not np.allclose(first, second)


def test_the_model_hears_what_the_slider_keeps(opened):
    opened.slider(key="share").set_value(95).run()
    assert not opened.exception
    memory = session_of(opened).memory
    parts = {key[-1]: found for key, found in memory.items() if key[1] == "sounds"}
    assert parts.keys() == {0.2, 0.95}
    kept, removed = parts[0.95]
    small = model_picker.get_model("small")
    expected = calibrated_probabilities(small, run_windows(small, [removed, kept]).logits)[
        :, EMOTIONS.index(box(opened, "Why").value)
    ]
    assert shares(opened)[1::-1] == [round(100 * value) for value in expected]


@pytest.mark.parametrize(
    ("gains", "words"),
    [
        ((0.2, 0.1), "clearly better than chance in both tests"),
        ((0.2, 0.0), "clearly better than chance in one test, and not in the other"),
        ((-0.2, 0.1), "clearly better than chance in one test, and clearly worse in the other"),
        ((0.0, 0.0), "not clearly better than chance"),
        ((-0.2, 0.0), "clearly worse than chance"),
    ],
)
def test_a_map_that_is_worse_than_chance_is_called_so(gains, words):
    assert f"The map is {words}." == _against_chance(*gains)


def test_the_answer_relative_to_an_enrolled_voice_is_explained(opened, speech):
    """Each part of the view is about the answer that the view Answer shows."""
    upload(opened, "short.wav", wav(speech[20_000:52_000]))
    before = shares(opened)
    session_of(opened).voice_clips = {"mine": speech}
    opened.run().toggle(key="use-voice").set_value(True).run()
    assert not opened.exception and "Relative to your enrolled voice." in texts(opened)
    small = model_picker.get_model("small")
    reference = speaker_reference(small, [speech])
    waveform = session_of(opened).clip.recording.waveform
    expected = predict(small, waveform, reference=reference)
    assert box(opened, "Why").value == expected.emotion
    assert shares(opened)[-1] == round(100 * expected.confidence) and shares(opened) != before
    (curves,) = [c for k, c in session_of(opened).memory.items() if k[1] == "faithfulness" and k[2].reference]
    (of_parts,) = [p for k, p in session_of(opened).memory.items() if k[1] == "part probabilities" and k[2].reference]
    assert curves.kept[-1] == pytest.approx(expected.confidence, abs=1e-4)  # with all parts kept
    assert of_parts.max(1)[0] == pytest.approx(expected.confidence, abs=1e-4)
    opened.segmented_control(key="view").set_value("answer").run()
    assert any(expected.emotion in element.proto.body for element in opened.get("html"))
    assert f"{expected.confidence:.0%}" in "".join(element.proto.body for element in opened.get("html"))


def test_the_relevant_part_and_the_remainder_are_played(opened):
    for name in ("Relevant part", "Remainder"):
        opened.button(key=f"play-{name}").click().run()
        request = session_of(opened).page(SoundState).request
        assert not opened.exception and request["name"] == name and request["url"]


def test_shuffled_weights_on_demand(opened):
    assert "Adebayo" not in texts(opened)
    opened.button(key="sanity").click().run()
    assert not opened.exception and "Adebayo" in texts(opened)
    found = [metric for metric in opened.metric if metric.label.startswith("Shuffle")]
    assert len(found) == 3 and all(m.value == "flat" or -1 <= float(m.value) <= 1 for m in found)
    opened.slider(key="share").set_value(50).run()
    assert "Adebayo" in texts(opened)  # what is known stays


@pytest.mark.parametrize("kind", [*PERTURBATION_PROBES][::5])  # the others are tested without a page
def test_worse_sound_on_demand(opened, kind):
    assert len(opened.get("plotly_chart")) == 2
    opened.segmented_control(key="probe").set_value(kind).run()
    assert not opened.exception and len(opened.get("plotly_chart")) == 3
    assert PERTURBATION_PROBES[kind].about in texts(opened) and "at this value: " in texts(opened)
    opened.select_slider(key=f"value-{kind}").set_value(PERTURBATION_PROBES[kind].values[-1]).run()
    assert not opened.exception
    assert any(key[1:] == ("worse", kind, PERTURBATION_PROBES[kind].values[-1]) for key in session_of(opened).memory)


def test_the_prediction_beside_a_worse_sound_is_that_at_its_value(opened, monkeypatch):
    probe = PERTURBATION_PROBES["Noise"]
    shape = np.array([0.5, 0.3, 0.1, 0.1, 0, 0, 0, 0])
    made_up = np.stack([np.roll(shape, i) for i in range(len(probe.values))])
    monkeypatch.setattr(state, "probe_probabilities", lambda explained, kind: made_up)
    opened.segmented_control(key="probe").set_value("Noise").run()
    opened.select_slider(key="value-Noise").set_value(probe.values[2]).run()
    first, second = (emotion_label(name) for name in EMOTIONS[2:4])
    assert f"small at this value: {first} 50%, {second} 30%, " in texts(opened)
    assert opened.button(key="play-probe").label == "Play Noise 25 dB"
    assert f"At 1 of {len(probe.values)} values the prediction remains" in texts(opened)


def test_a_short_clip_has_no_windows_to_choose_from(page, speech):
    upload(page, "short.wav", wav(speech[20_000:36_000]))
    assert "Window" not in [found.label for found in page.selectbox] and "Why" in texts(page)


@pytest.mark.parametrize("content", [np.zeros(16_000), 1e-4 * np.random.default_rng(0).standard_normal(16_000)])
def test_without_speech_there_is_nothing_to_explain(page, content):
    upload(page, "silence.wav", wav(content))
    assert page.info and "0.0 s" in page.info[0].value and not page.get("plotly_chart")


@pytest.mark.parametrize("content", [b"", b"RIFF", b"no sound at all"])
def test_a_bad_file_is_a_sentence_and_the_page_goes_on(page, content):
    upload(page, "bad.wav", content)
    assert page.error and "bad.wav" in texts(page)
    page.button(key="sample-low_slow.ogg").click().run()
    assert not page.error and page.get("plotly_chart")


def test_what_was_repaired_in_a_file_is_said(page, speech):
    upload(page, "torn.wav", wav(speech)[:-60_000])
    assert len(page.warning) == 1 and page.get("plotly_chart")


def test_deleting_leaves_nothing(opened):
    opened.button(key="delete").click().run()
    assert not opened.exception and "mine.ogg" not in texts(opened) and not opened.get("plotly_chart")
    assert not session_of(opened).clip and not session_of(opened).memory


def test_a_model_without_spectrogram_says_which_method_it_allows(checkpoints, page, speech):
    classifier = EgemapsClassifier(EgemapsConfig(classifier="tree"))
    rng = np.random.default_rng(0)
    classifier.fit(rng.standard_normal((32, 88)), np.array(EMOTIONS * 4))
    save_model(classifier, checkpoints / "a-tree", "egemaps", Calibration(), {})
    upload(page, "short.wav", wav(speech[20_000:52_000]))  # features of each silenced part take their time
    box(page, "Model").set_value("a-tree").run()
    assert len(box(page, "Method").options) == 2 and SILENCING in box(page, "Method").options[1]
    assert "sanity" not in [button.key for button in page.button] and "all moments" not in texts(page)


def test_a_damaged_checkpoint_is_a_sentence(checkpoints, page):
    unload_models()  # kept from another test
    (checkpoints / "other" / "model.safetensors").write_bytes(b"damaged")
    upload(page, "mine.ogg", SPEECH)
    box(page, "Model").set_value("other").run()
    assert page.error and "damaged" in page.error[0].value


def test_without_a_model_the_page_says_what_to_do(checkpoints):
    shutil.rmtree(checkpoints)
    page = open_view("why", timeout_s=60)
    page.run()
    assert not page.exception and "python -m scripts.train" in page.info[0].value


def test_the_window_that_is_explained_first_has_speech():
    starts, sad = np.arange(3.0), EMOTIONS.index("sad")
    probabilities = np.full((3, len(EMOTIONS)), 0.05)
    probabilities[:, sad] = 0.9, 0.5, 0.6
    trajectory = Trajectory("m", EMOTIONS, starts, starts + 2, probabilities, np.array([0.1, 2.0, 2.0]), 2.0, 1.0)
    assert most_confident_window(SimpleNamespace(trajectory=trajectory, prediction=SimpleNamespace(emotion="sad"))) == 2


# --- without a page --------------------------------------------------------------------------------------------------


@pytest.fixture
def explained() -> ExplainedWindow:
    """The second window of a clip with two stretches of speech."""
    start_s = np.array([0.0, 1.0])
    probabilities = np.full((2, len(EMOTIONS)), 1 / len(EMOTIONS))
    trajectory = Trajectory("m", EMOTIONS, start_s, start_s + 2, probabilities, np.ones(2), 2.0, 1.0)
    prepared = SimpleNamespace(id="clip", waveform=np.arange(64_000), speech=((0.5, 1.5), (2.5, 4.0)))
    prediction = SimpleNamespace(version="v")
    return state.window(
        prepared, SimpleNamespace(trajectory=trajectory, prediction=prediction, model=PersonalModel("m")), 1
    )


def test_speech_counts_from_the_beginning_of_the_window(explained):
    assert explained.speech == ((0.0, 0.5), (1.5, 2.0))
    assert (explained.waveform[0], len(explained.waveform)) == (16_000, 32_000)


def test_what_is_known_of_one_question_is_not_the_answer_to_another(explained):
    questions = AttributionTarget("sad"), AttributionTarget("sad", "fear"), AttributionTarget("fear")
    found = SimpleNamespace(method=GRAD_CAM)
    assert len({state.sanity_key(explained, found, question) for question in questions}) == 3
    assert len({state._curves_key(explained, GRAD_CAM, question) for question in questions}) == 3


def test_numbers_of_a_map_have_the_time_of_the_recording_and_the_bands_upwards(explained, monkeypatch):
    frontend = FrontendConfig()
    monkeypatch.setattr(state, "get_model", lambda name: SimpleNamespace(config=SimpleNamespace(frontend=frontend)))
    relevance = np.arange(3 * frontend.n_mels, dtype=float).reshape(frontend.n_mels, 3)
    first, second, _ = map_rows(explained, Explanation(GRAD_CAM, relevance, 0.016))
    assert (first.pop("time_s"), second["time_s"]) == (1.0, 1.016)
    hertz = [float(band.removesuffix(" Hz")) for band in first]
    assert hertz == sorted(hertz) and list(first.values()) == relevance[:, 0].tolist()


def test_each_part_is_called_by_its_share():
    assert [_title(name, 30) for name in ORDER] == ["Relevant part, 30%", "Remainder, 70%", "Everything"]


@pytest.mark.parametrize(
    ("correlations", "words"),
    [((0.1, math.nan), "depends on the trained weights**"), ((0.3,), "in part"), ((-0.8, 0.1), "more on the audio")],
)
def test_a_map_that_is_turned_round_shows_the_sound_too(correlations, words):
    assert words in _sanity_words(correlations)


def test_while_no_method_passes_the_best_tested_one_is_shown(explained, monkeypatch):
    tested = {
        SILENCING: SimpleNamespace(n_passed=0, gains=(0.04, 0.04)),
        OCCLUSION: SimpleNamespace(n_passed=1, gains=(0.06, -0.2)),
        GRAD_CAM: SimpleNamespace(n_passed=1, gains=(0.1, 0.0)),
    }
    monkeypatch.setattr(methods, "_tested", lambda *_: tested)
    assert methods.preferred(explained, AttributionTarget("sad")) == GRAD_CAM


def test_random_maps_are_those_of_a_map_of_the_same_shape(explained, monkeypatch):
    used = []
    shapes = {SILENCING: (1, 9), OCCLUSION: (64, 9), GRAD_CAM: (64, 9)}
    monkeypatch.setattr(methods, "_tested", lambda *_: {SILENCING: "of a row", OCCLUSION: "of a map"})
    monkeypatch.setattr(state, "explanation", lambda _, method, __: SimpleNamespace(relevance=np.zeros(shapes[method])))
    monkeypatch.setattr(state, "faithfulness_curves", lambda *given: used.append(given[-1]))
    methods.measure(explained, GRAD_CAM, AttributionTarget("sad"))
    assert used == ["of a map"]
