"""The scikit-learn models: the contract of the networks, on what the real opensmile computes."""

import ctypes
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from scripts import train as train_script
from scripts.common import fitting as fitting_script
from ser_core.audio.features import FrontendConfig
from ser_core.data.audio_store.reading import AudioStore
from ser_core.data.file_names import parse_filename
from ser_core.evaluation.cost import latency_ms
from ser_core.evaluation.evaluator import predict_utterances_per_model
from ser_core.inference.forward import run_clips, run_windows
from ser_core.inference.prediction.predict import predict
from ser_core.labels import EMOTIONS
from ser_core.models.checkpoint import Calibration, load_model, save_model
from ser_core.models.names import CheckpointError
from ser_core.models.registry import build_model
from ser_core.models.zoo.egemaps import functionals as egemaps
from ser_core.models.zoo.egemaps.classifier import EgemapsClassifier, EgemapsConfig
from ser_core.models.zoo.egemaps.functionals import egemaps_functionals, functionals_cache
from ser_core.training import classifiers as fitting
from ser_core.training.auxiliary import functionals_task
from ser_core.training.classifiers import cached_functionals, fit_classifier
from ser_core.training.config import TrainingError, TrainingExample
from tests.make_corpus import DEV_SPEAKERS, clips, voice, write_wav

pytestmark = pytest.mark.slow

LENGTHS = torch.tensor([1, 959, 5000, 9000, 16_000])
NAMES = {"svm": "svm-egemaps", "forest": "random-forest", "tree": "decision-tree"}
KNOWN = ("angry", "happy", "sad")  # fewer than the labels: the training part of a protocol may lack some


@pytest.fixture(scope="module")
def features() -> tuple[np.ndarray, np.ndarray]:
    """Three clouds, one for each emotion, shape = (90, 88), and their names."""
    rng = np.random.default_rng(0)
    emotions = np.repeat(KNOWN, 30)
    return (5 * np.repeat(np.arange(3.0), 30)[:, None] + rng.standard_normal((90, 88))).astype(np.float32), emotions


SMALL = {"svm": {}, "forest": {"n_estimators": 10}, "tree": {}}


@pytest.fixture(params=SMALL)
def fitted(request, features) -> EgemapsClassifier:
    model = build_model(NAMES[request.param]).fit(*features, **SMALL[request.param]).eval()
    model.name, model.calibration = "fitted", Calibration()
    return model


@pytest.fixture
def svm(features) -> EgemapsClassifier:
    return build_model("svm-egemaps").fit(*features)


@pytest.fixture(scope="module")
def batch() -> torch.Tensor:
    """Five voices, padded with zeros, shape = (5, 48000)."""
    voices = [voice(110 + 40 * i, seed=i, duration_s=1.0) for i in range(len(LENGTHS))]
    return torch.from_numpy(np.stack(voices)) * (torch.arange(16_000) < LENGTHS[:, None])


def hide(monkeypatch, package: str) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    from ser_core.models.zoo.egemaps import functionals as egemaps

    egemaps.opensmile_extractor.cache_clear()


# --- functionals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("n_samples", "n_silent"), [(16_000, 0), (700, 260)])
def test_functionals_are_those_of_opensmile(n_samples, n_silent):
    """The reference is its documented call, on a voice at the level that ours is brought to; 60 ms at least."""
    import opensmile

    waveform = voice(150, seed=1, duration_s=1.0)[:n_samples]
    levelled = np.pad(0.1 * waveform / np.quantile(np.abs(waveform), 0.99), (0, n_silent))
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
    expected = smile.process_signal(levelled, 16_000)
    np.testing.assert_allclose(egemaps_functionals(waveform), expected.to_numpy()[0], rtol=1e-3, atol=1e-3)


def test_pitch_is_heard():
    pitch_semitones = egemaps_functionals(voice(150, seed=1))[0]  # mean, from 27.5 Hz
    assert 145 < 27.5 * 2 ** (pitch_semitones / 12) < 155


def test_short_clips_have_functionals(subtests):
    for n_samples in [1, 2, 100, 959, 960, 961, 3000]:
        with subtests.test(n_samples=n_samples):
            found = egemaps_functionals(voice(150, seed=1)[:n_samples])
            assert found.shape == (88,) and np.isfinite(found).all()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "waveform",
    [
        np.zeros(16_000),
        np.zeros(1),
        np.eye(1, 16_000, 8000)[0],
        np.full(16_000, 0.5),
        np.sign(voice(150, seed=1)),
        1e-12 * voice(150, seed=1),
        np.random.default_rng(0).uniform(-1, 1, 16_000),
    ],
    ids=["silence", "one zero", "a click", "constant", "square", "next to nothing", "noise"],
)
def test_odd_sounds_have_finite_functionals(waveform):
    assert np.isfinite(egemaps_functionals(waveform.astype(np.float32))).all()


def test_the_level_changes_nothing(subtests):
    for gain_db in [-60, -20, 10]:
        with subtests.test(gain_db=gain_db):
            waveform = voice(150, seed=1)
            found = egemaps_functionals((waveform * 10 ** (gain_db / 20)).astype(np.float32))
            np.testing.assert_allclose(found, egemaps_functionals(waveform), rtol=0.02, atol=0.02)


def test_a_click_does_not_set_the_level():
    """opensmile computes in 16 bits: it would wrap around, or push the voice down by the height of the click."""
    waveform = voice(150, seed=1, duration_s=2.0)
    clicked = waveform.copy()
    clicked[16_000:16_010] = 40.0
    loudness = slice(12, 15)  # its percentiles
    np.testing.assert_allclose(
        egemaps_functionals(clicked)[loudness], egemaps_functionals(waveform)[loudness], rtol=0.05
    )


# --- the contract ----------------------------------------------------------------------------------------------------


def test_shapes(fitted, batch):
    assert fitted.frontend(batch, LENGTHS).shape == (5, 88)
    assert fitted.n_frames(LENGTHS).tolist() == [1] * 5
    assert fitted.embed(batch, LENGTHS).shape == (5, fitted.config.embedding_dim)
    logits = fitted(batch, LENGTHS)
    assert logits.shape == (5, len(EMOTIONS)) and logits.dtype == torch.float32
    assert fitted.n_parameters() == 0 and fitted.device.type == "cpu" and fitted.sample_rate == 16_000


def test_logits_are_log_probabilities_of_every_label(fitted, features):
    logits = fitted.head(fitted.encode(torch.from_numpy(features[0])))
    assert logits.isfinite().all()
    torch.testing.assert_close(logits.exp().sum(1), torch.ones(90), rtol=0, atol=1e-5)
    unknown = [i for i, label in enumerate(EMOTIONS) if label not in KNOWN]
    assert logits[:, unknown].max() < -6
    assert [EMOTIONS[i] for i in logits.argmax(1)] == features[1].tolist()


def test_the_embedding_is_in_units_of_the_spread(svm, features):
    embedding = svm.encode(torch.from_numpy(features[0]))
    torch.testing.assert_close(embedding.mean(0), torch.zeros(88), rtol=0, atol=1e-4)
    torch.testing.assert_close(embedding.std(0, correction=0), torch.ones(88), rtol=0, atol=1e-4)


def test_forward_is_the_head_on_the_embedding(fitted, batch):
    assert torch.equal(fitted.head(fitted.embed(batch, LENGTHS)), fitted(batch, LENGTHS))


def test_padding_batch_and_order_change_no_answer(fitted, batch):
    alone = torch.cat([fitted.embed(clip[None, :n]) for clip, n in zip(batch, LENGTHS, strict=True)])
    assert torch.equal(fitted.embed(batch, LENGTHS), alone)
    rubbish = batch + (torch.arange(16_000) >= LENGTHS[:, None])
    assert torch.equal(fitted.embed(rubbish, LENGTHS), alone)
    order = [4, 2, 0, 3, 1]
    torch.testing.assert_close(fitted.head(alone)[order], fitted.head(alone[order]))


def test_an_answer_of_the_app(fitted, speech):
    prediction = predict(fitted, speech)
    assert sum(prediction.probabilities.values()) == pytest.approx(1) and prediction.emotion in KNOWN


def test_the_seed_decides(features):
    noise = np.random.default_rng(1).standard_normal((60, 88)).astype(np.float32)

    def logits(seed):
        model = build_model("random-forest").fit(noise, np.repeat(KNOWN, 20), seed, n_estimators=5)
        return model.head(model.encode(torch.from_numpy(features[0])))

    assert torch.equal(logits(3), logits(3)) and not torch.equal(logits(3), logits(4))


def test_the_svm_answers_as_its_votes_do_but_says_how_sure_it_is():
    """Overlapping clouds: nearly all answers are those that scikit-learn counts, and the certain ones are right."""
    rng = np.random.default_rng(0)
    emotions = rng.choice(np.array(EMOTIONS), 1600)
    centres = {label: rng.standard_normal(88) for label in EMOTIONS}
    clouds = np.stack([centres[emotion] for emotion in emotions]) + 4 * rng.standard_normal((1600, 88))
    model = build_model("svm-egemaps").fit(clouds[:800].astype(np.float32), emotions[:800])
    logits = model.head(model.encode(torch.from_numpy(clouds[800:].astype(np.float32)))).numpy()
    answers = np.array(EMOTIONS)[logits.argmax(1)]
    assert (answers == model.pipeline.predict(clouds[800:])).mean() > 0.9
    right, certain = answers == emotions[800:], logits.max(1) >= np.median(logits.max(1))
    assert right[certain].mean() > right[~certain].mean() + 0.15


def test_an_unknown_classifier_lists_what_exists():
    with pytest.raises(ValueError, match=r"'boost'.*svm, forest, tree"):
        EgemapsClassifier(EgemapsConfig(classifier="boost"))


def test_another_front_end_is_refused():
    config = EgemapsConfig(frontend=FrontendConfig(n_mfcc=13, deltas=2))
    with pytest.raises(ValueError, match="MFCC"):
        build_model("svm-egemaps", config)


# --- checkpoints -----------------------------------------------------------------------------------------------------


def saved(model: EgemapsClassifier, folder) -> None:
    save_model(model, folder, "egemaps", Calibration(1.5, 0.2), {"protocol": "resonet", "fold": None})


def test_what_was_saved_is_what_is_loaded(fitted, batch, tmp_path):
    saved(fitted, tmp_path / "mine")
    loaded = load_model(tmp_path / "mine")
    assert loaded.config == fitted.config and loaded.calibration == Calibration(1.5, 0.2) and not loaded.training
    assert torch.equal(loaded(batch, LENGTHS), fitted(batch, LENGTHS))
    assert {path.name for path in (tmp_path / "mine").iterdir()} == {"model.skops", "config.json"}


def test_a_truncated_file_is_named(fitted, tmp_path, subtests):
    for share in [0.0, 0.01, 0.5, 0.99]:
        with subtests.test(share=share):
            saved(fitted, tmp_path / "mine")
            path = tmp_path / "mine" / "model.skops"
            path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
            with pytest.raises(CheckpointError, match=r"mine/model\.skops .*damaged"):
                load_model(tmp_path / "mine")


def other(svm: EgemapsClassifier, features, pipeline, folder):
    """A checkpoint of the SVM whose weights are another pipeline's."""
    import skops.io  # imports all of scikit-learn and dask: three seconds

    saved(svm, folder)
    skops.io.dump(pipeline, folder / "model.skops")
    return folder


def test_a_classifier_of_another_kind_is_refused(svm, features, tmp_path):
    forest = build_model("random-forest").fit(*features, n_estimators=2).pipeline
    with pytest.raises(CheckpointError, match=r"mine/model\.skops .*svm"):
        load_model(other(svm, features, forest, tmp_path / "mine"))
    with pytest.raises(CheckpointError, match=r"mine/model\.skops .*svm"):
        load_model(other(svm, features, {"a": 1}, tmp_path / "mine"))


def test_a_classifier_that_was_never_fitted_is_refused(svm, features, tmp_path):
    unfitted = make_pipeline(StandardScaler(), SVC())
    with pytest.raises(CheckpointError, match=r"mine/model\.skops"):
        load_model(other(svm, features, unfitted, tmp_path / "mine"))


def test_another_number_of_features_is_refused(svm, features, tmp_path):
    few = build_model("svm-egemaps").fit(features[0][:, :42], features[1]).pipeline
    with pytest.raises(CheckpointError, match=r"42 .*88"):
        load_model(other(svm, features, few, tmp_path / "mine"))


def test_another_label_set_is_refused(svm, features, tmp_path):
    bored = build_model("svm-egemaps").fit(features[0], np.where(features[1] == "sad", "bored", features[1])).pipeline
    with pytest.raises(CheckpointError, match="bored"):
        load_model(other(svm, features, bored, tmp_path / "mine"))


class Foreign(LogisticRegression):
    """What no list of trusted types holds."""


def test_a_type_that_is_not_trusted_is_never_built(svm, features, tmp_path, monkeypatch):
    pipeline = make_pipeline(StandardScaler(), Foreign()).fit(*features)
    folder = other(svm, features, pipeline, tmp_path / "mine")
    monkeypatch.setattr("skops.io.load", lambda *args, **kwargs: pytest.fail("was built"))
    with pytest.raises(CheckpointError, match="Foreign"):
        load_model(folder)


@pytest.mark.parametrize(("array", "value"), [("left_child", 10**6), ("left_child", 0), ("feature", 88)])
@pytest.mark.parametrize("kind", ["tree", "forest"])
def test_a_tree_that_leads_nowhere_is_refused(features, tmp_path, kind, array, value):
    """scikit-learn would follow it out of memory, or in a circle."""
    model = build_model(NAMES[kind]).fit(*features, **SMALL[kind])
    classifier = model.pipeline[-1]
    tree = (classifier.estimators_[-1] if kind == "forest" else classifier).tree_
    state = tree.__getstate__()
    state["nodes"][array][0] = value
    tree.__setstate__(state)
    saved(model, tmp_path / "mine")
    with pytest.raises(CheckpointError, match=r"mine/model\.skops .*tree"):
        load_model(tmp_path / "mine")


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("_dual_coef_", lambda values: values[:, :-1]),
        ("_intercept_", lambda values: values[:-1]),
        ("support_", lambda values: values + 10**6),
        ("support_vectors_", lambda values: values[:-1]),
        ("_n_support", lambda values: values + 1),
        ("_gamma", lambda value: np.nan),
    ],
)
def test_an_svm_whose_arrays_do_not_belong_together_is_refused(svm, tmp_path, name, damage):
    """scikit-learn would read behind their ends, and answer."""
    classifier = svm.pipeline[-1]
    setattr(classifier, name, damage(getattr(classifier, name)))
    saved(svm, tmp_path / "mine")
    with pytest.raises(CheckpointError, match=r"mine/model\.skops .*support vectors"):
        load_model(tmp_path / "mine")


def test_a_scaler_of_other_features_is_refused(svm, tmp_path):
    svm.pipeline[0].scale_ = svm.pipeline[0].scale_[:42]
    saved(svm, tmp_path / "mine")
    with pytest.raises(CheckpointError, match=r"mine/model\.skops .*scaler"):
        load_model(tmp_path / "mine")


# --- packages that are not installed ---------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["opensmile", "skops", "sklearn"])
def test_loading_says_what_to_install(svm, tmp_path, monkeypatch, package):
    saved(svm, tmp_path / "mine")
    hide(monkeypatch, package)
    with pytest.raises(CheckpointError, match=rf"mine .*{package}: pip install .*=="):
        load_model(tmp_path / "mine")


def test_predicting_and_training_say_what_to_install(svm, speech, tmp_path, monkeypatch, crema_d, cache):
    hide(monkeypatch, "opensmile")
    with pytest.raises(ImportError, match=r"pip install opensmile==2\.6\.0"):
        run_windows(svm, [speech])
    with pytest.raises(TrainingError, match=r"svm .*pip install opensmile==2\.6\.0"):
        fit_classifier(svm, clips(crema_d), [], AudioStore(cache), tmp_path / "functionals.npz")


def test_the_start_of_the_app_imports_none_of_them():
    code = "import sys, ser_core; sys.exit(bool({'opensmile', 'sklearn', 'skops'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


# --- fitting ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def known(crema_d, cache, tmp_path_factory):
    """A file with the functionals of the small corpus, and its store."""
    path, store = tmp_path_factory.mktemp("functionals") / "functionals.npz", AudioStore(cache)
    ids = [clip.id for clip in (*clips(crema_d), *clips(crema_d, DEV_SPEAKERS))]
    cached_functionals(ids, 80_000, store, path)
    return path, store


def test_functionals_are_extracted_once(known, crema_d, monkeypatch):
    path, store = known
    ids = [clip.id for clip in clips(crema_d)]
    monkeypatch.setattr(fitting, "egemaps_functionals", lambda waveform: pytest.fail("extracted again"))
    done = []
    found = cached_functionals(ids, 80_000, store, path, done.append)
    assert list(found) == ids and done == [len(ids)]
    np.testing.assert_array_equal(found[ids[0]][0], egemaps_functionals(store.trimmed(ids[0])))


def test_an_interrupted_extraction_goes_on(known, crema_d, tmp_path, monkeypatch):
    _, store = known
    ids, path = [clip.id for clip in clips(crema_d)][:5], tmp_path / "functionals.npz"
    calls = []

    def interrupted(waveform):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return egemaps_functionals(waveform)

    monkeypatch.setattr(fitting, "egemaps_functionals", interrupted)
    monkeypatch.setattr(fitting, "CLIPS_PER_CHUNK", 2)
    with pytest.raises(KeyboardInterrupt):
        cached_functionals(ids, 80_000, store, path)
    done = []
    assert len(cached_functionals(ids, 80_000, store, path, done.append)) == 5
    assert done == [2, 4, 5] and len(calls) == 4 + 3


def test_functionals_that_are_no_numbers_are_extracted_again(known, crema_d, tmp_path):
    """Ctrl-C left NaN in the files of earlier versions."""
    _, store = known
    ids, path = [clip.id for clip in clips(crema_d)][:3], tmp_path / "functionals.npz"
    first = cached_functionals(ids, 80_000, store, path)
    with np.load(path) as file:
        spoilt = dict(file)
    spoilt["functionals"][1] = np.nan
    np.savez(path, **spoilt)
    again = cached_functionals(ids, 80_000, store, path)
    np.testing.assert_array_equal(np.concatenate([*again.values()]), np.concatenate([*first.values()]))


def test_functionals_of_other_windows_are_not_reused(known, crema_d, tmp_path):
    _, store = known
    (clip, *_), path = clips(crema_d), tmp_path / "functionals.npz"
    n_windows = [len(cached_functionals([clip.id], window, store, path)[clip.id]) for window in (80_000, 4000)]
    assert n_windows[0] == 1 < n_windows[1]


@pytest.mark.parametrize("kind", SMALL)
def test_fitting_chooses_on_development_speakers(kind, known, crema_d, monkeypatch):
    path, store = known
    useless = {"svm": {"gamma": 1e3}, "forest": {"max_depth": 1, "n_estimators": 1}, "tree": {"max_depth": 1}}[kind]
    good = {"svm": {"C": 10.0}, "forest": {"n_estimators": 20}, "tree": {}}[kind]
    monkeypatch.setitem(fitting.PARAMETER_GRIDS, kind, (useless, good, useless))
    model, dev = build_model(NAMES[kind]), clips(crema_d, DEV_SPEAKERS)
    recipe = fit_classifier(model, clips(crema_d), dev, store, path)
    assert recipe["chosen"] == good and recipe["seed"] == 0
    uars = [trial["dev_uar"] for trial in recipe["tried"]]
    assert len(uars) == 3 and uars[1] == max(uars) > uars[2]
    logits = run_clips(model, [store.trimmed(clip.id) for clip in dev]).logits
    right = [EMOTIONS[i] == clip.emotion for i, clip in zip(logits.argmax(1), dev, strict=True)]
    assert np.mean(right) == pytest.approx(uars[1], abs=1e-4)  # each emotion has as many clips


def test_without_development_speakers_the_first_settings_are_taken(known, crema_d):
    path, store = known
    sung = [replace(clip, corpus="ravdess_song") for clip in clips(crema_d, DEV_SPEAKERS)]  # chooses nothing
    for dev in ([], sung):
        recipe = fit_classifier(build_model("decision-tree"), clips(crema_d), dev, store, path)
        assert recipe["chosen"] == fitting.PARAMETER_GRIDS["tree"][0] and recipe["tried"] == [recipe["chosen"]]


def test_a_development_clip_is_predicted_by_the_mean_of_its_windows():
    """Here the features are the logits."""
    model = SimpleNamespace(config=SimpleNamespace(labels=EMOTIONS), encode=lambda x: x, classify=lambda x: x)
    first, second = np.eye(len(EMOTIONS))[:2]
    known = {"a": np.stack([second, 2 * first]), "b": np.stack([first, second, second])}
    dev = [TrainingExample(name, "tess", EMOTIONS[i]) for i, name in enumerate(known)]
    assert fitting._dev_uar(model, dev, known) == 1


def test_nothing_to_fit_on_is_refused(known):
    with pytest.raises(TrainingError, match=r"(?i)clip"):
        fit_classifier(build_model("svm-egemaps"), [], [], known[1], known[0])


def test_two_emotions_are_too_few(known, crema_d):
    train = [clip for clip in clips(crema_d) if clip.emotion in ("sad", "angry")]
    with pytest.raises(TrainingError, match="2 emotions"):
        fit_classifier(build_model("svm-egemaps"), train, [], known[1], known[0])


def test_long_clips_are_cut_as_inference_cuts_them(known, crema_d, tmp_path):
    """In windows of the config, half overlapping; each is an example, the answer is their mean."""
    _, store = known
    train = clips(crema_d)[:12]
    model = EgemapsClassifier(replace(EgemapsConfig(classifier="tree"), window_s=0.25))
    fit_classifier(model, train, [], store, tmp_path / "functionals.npz")
    found = cached_functionals([train[0].id], 4000, store, tmp_path / "functionals.npz")[train[0].id]
    logits = model.head(model.encode(torch.from_numpy(found))).mean(0)
    np.testing.assert_allclose(run_clips(model, [store.trimmed(train[0].id)]).logits[0], logits, rtol=1e-5)


def test_the_script_makes_a_checkpoint(known, crema_d, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("SER_CORPORA", str(crema_d))
    monkeypatch.setenv("SER_CACHE", str(cache))
    monkeypatch.setattr(fitting_script, "audio_cache_folder", lambda: tmp_path)
    monkeypatch.chdir(tmp_path)
    command = ["decision-tree", "--protocol", "speaker-independent", "--fold", "0", "--run", "T", "--partial"]
    assert train_script.main(command) == 0
    model = load_model(tmp_path / "runs" / "T" / "checkpoint")
    assert model.config.classifier == "tree" and model.calibration.temperature != 1.0


def test_ctrl_c_in_the_middle_of_a_clip_is_not_lost(monkeypatch):
    """opensmile calls Python back from C, which ignores errors: Ctrl-C did nothing but make the functionals NaN."""
    from_c = ctypes.CFUNCTYPE(None)(lambda: signal.raise_signal(signal.SIGINT))

    def smile(waveform, sample_rate):
        from_c()
        return np.zeros(88)

    monkeypatch.setattr(egemaps, "opensmile_extractor", lambda: smile)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background inherit another
    try:
        with pytest.raises(KeyboardInterrupt):
            egemaps.egemaps_functionals(np.zeros(16_000, np.float32))
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.fixture
def extracted(monkeypatch) -> list[int]:
    """One entry for each call of opensmile."""
    calls, smile = [], egemaps.opensmile_extractor()
    monkeypatch.setattr(egemaps, "opensmile_extractor", lambda: lambda *arguments: calls.append(1) or smile(*arguments))
    return calls


def test_a_clip_is_extracted_once_however_many_classifiers_ask(extracted):
    clip = voice(180, seed=1)
    with functionals_cache():
        first, again = egemaps_functionals(clip), egemaps_functionals(clip)
        assert np.array_equal(first, again) and len(extracted) == 1
        again[:] = 0
        assert np.array_equal(egemaps_functionals(clip), first)
        assert not np.array_equal(egemaps_functionals(clip[: len(clip) // 2]), first) and len(extracted) == 2
        assert np.array_equal(egemaps_functionals(clip), first) and len(extracted) == 2  # as the next classifier asks


def test_nothing_of_a_voice_is_left_behind(extracted):
    clip = voice(180, seed=1)
    with pytest.raises(KeyboardInterrupt), functionals_cache():
        egemaps_functionals(clip)
        raise KeyboardInterrupt
    assert egemaps._functionals_cache.get() is None
    egemaps_functionals(clip)
    egemaps_functionals(clip)
    assert len(extracted) == 3


def test_threads_keep_apart(extracted):
    clip = voice(180, seed=1)
    with functionals_cache():
        egemaps_functionals(clip)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(egemaps_functionals, clip).result()
    assert len(extracted) == 2


def test_the_evaluation_extracts_once_for_all(svm, extracted, tmp_path):
    clips = [
        replace(parse_filename(Path("savee/DC_a01")), path=write_wav(tmp_path / f"{i}.wav", voice(150, i)))
        for i in (1, 2)
    ]
    svm.calibration = Calibration()
    predict_utterances_per_model([svm, svm], clips)
    assert len(extracted) == 2


def test_latency_is_that_of_extraction(svm, extracted, monkeypatch):
    """Not of what is still there from the clip before."""
    monkeypatch.setattr("ser_core.evaluation.cost.LATENCY_BUDGET_S", 0.0)
    asked = []
    monkeypatch.setattr(svm, "encode", lambda *arguments: asked.append(1) or EgemapsClassifier.encode(svm, *arguments))
    latency_ms(svm.eval())
    assert len(extracted) == len(asked) == 4  # one to warm up


def test_functionals_as_a_side_task_are_in_units_of_their_spread(known, crema_d):
    path, store = known
    train = clips(crema_d)
    task = functionals_task(train, store, path)
    values = np.stack([task.values[clip.id] for clip in train])
    assert values.shape == (len(train), 88) and np.abs(values).max() <= 3
    assert np.abs(np.median(values, axis=0)).max() < 1 and (values.std(0) > 0.5).mean() > 0.9
    first = cached_functionals([clip.id for clip in train], 80_000, store, path)
    pitch = np.array([first[clip.id].mean(0)[0] for clip in train])
    np.testing.assert_array_equal(np.argsort(pitch, kind="stable"), np.argsort(values[:, 0], kind="stable"))
