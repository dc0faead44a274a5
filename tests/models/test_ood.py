"""Novelty: what lies far from the training clips is far, and the program says so."""

import re
from dataclasses import replace

import numpy as np
import pytest

from ser_core.inference.forward import clip_windows, run_clips, run_windows
from ser_core.inference.prediction.abstention import MAX_NOVELTY_PERCENTILE
from ser_core.inference.prediction.predict import predict, predict_with_windows
from ser_core.models import checkpoint
from ser_core.models.calibration import Calibration
from ser_core.models.checkpoint import load_model, save_model
from ser_core.models.names import NOVELTY_FILE, CheckpointError
from ser_core.models.ood import TYPICAL, UNLIKE_TRAINING, UNUSUAL, NoveltyDetector, fit_novelty_detector

RNG = np.random.default_rng(0)
KNOWN = RNG.normal(size=(4000, 6)) @ np.diag([3, 1, 1, 0.5, 0.5, 0]) + 5  # the last unit never fires


@pytest.fixture(scope="module")
def novelty() -> NoveltyDetector:
    return fit_novelty_detector(KNOWN[:3000], KNOWN[3000:])


def test_training_clips_lie_at_about_one(novelty):
    assert novelty.distance(KNOWN[:3000]).mean() == pytest.approx(5 / 6, rel=0.05)  # one of six directions is empty


def test_the_spread_of_each_direction_is_its_unit(novelty):
    wide, narrow = (novelty.distance(KNOWN.mean(0) + step)[0] for step in np.eye(6)[[0, 4]][:, None] * 3)
    assert wide < 0.5 < 4 < narrow


def test_percentiles_are_shares_of_unseen_clips(novelty):
    distances = novelty.distance(KNOWN[3000:])
    for quantile in (0.1, 0.5, 0.9):
        assert novelty.percentile(np.quantile(distances, quantile)) == pytest.approx(100 * quantile, abs=0.2)
    assert novelty.percentile(0.0) == 0
    assert novelty.percentile(distances.max() * 1.001) == MAX_NOVELTY_PERCENTILE
    assert novelty.percentile(distances.max() * 0.999) < MAX_NOVELTY_PERCENTILE
    few = novelty.with_reference_distances(np.arange(1.0, 5.0))
    assert [few.percentile(distance) for distance in (1.0, 2.0, 4.0, 4.1)] == [0, 25, 75, 100]  # closer than it


def test_the_distance_to_training_clips_is_that_to_the_fifth_nearest():
    clips = np.stack([np.arange(1.0, 9.0), np.zeros(8)], axis=1)
    near = NoveltyDetector(np.zeros(2), np.eye(2), np.arange(3.0), neighbours=clips)
    assert near.distance(np.zeros((1, 2))).tolist() == pytest.approx([25 / 2])


def test_familiarity_needs_thresholds_and_follows_the_percentile(novelty, tmp_path):
    assert novelty.familiarity(0.0) is None
    near = novelty.with_reference_distances(np.arange(1.0, 11.0)).with_familiarity(
        np.repeat([1.5, 2.5, 9.5], [40, 40, 20])
    )
    assert near.thresholds.tolist() == [20, 50]
    assert [near.familiarity(p) for p in (0, 20, 30, 50, 60, 100)] == [
        *(TYPICAL, TYPICAL, UNUSUAL, UNUSUAL, UNLIKE_TRAINING, UNLIKE_TRAINING)
    ]
    far = near.with_familiarity(np.full(100, 1e6))
    assert [far.familiarity(p) for p in (50, 51)] == [TYPICAL, UNLIKE_TRAINING]
    near.save(tmp_path / "detector")
    assert NoveltyDetector.load(tmp_path / "detector").familiarity(30) == UNUSUAL
    replace(near, thresholds=np.zeros(3)).save(tmp_path / "detector")
    with pytest.raises(ValueError, match="shape"):
        NoveltyDetector.load(tmp_path / "detector")


def test_prediction_holds_the_word_and_none_in_silence(knowing, speech):
    assert predict(knowing, speech).familiarity is None
    knowing.novelty = replace(knowing.novelty, thresholds=np.array([0, 100], np.float32), unseen=np.array([0, 1e9]))
    assert predict(knowing, speech).familiarity == UNUSUAL
    assert predict(knowing, speech * 0).familiarity is None


def test_short_speech_unlike_the_training_data_is_not_answered(knowing, speech):
    near = replace(knowing.novelty, thresholds=np.array([0, 100], np.float32), unseen=np.array([0, 1e9]))
    knowing.calibration = replace(knowing.calibration, min_confidence=0.0)
    for thresholds, segment, abstains in (
        ((0, 100), (1.0, 1.5), False),
        ((0, 10), (1.0, 1.5), True),
        ((0, 10), (1.0, 2.5), False),
    ):
        knowing.novelty = replace(near, thresholds=np.array(thresholds, np.float32))
        assert predict(knowing, speech, [segment]).abstain is abstains


def test_one_clip_gives_what_many_give(novelty):
    together = novelty.distance(KNOWN[:5])
    np.testing.assert_allclose([novelty.distance(row[None])[0] for row in KNOWN[:5]], together, rtol=1e-5)


@pytest.mark.parametrize("training, unseen", [(KNOWN[:1], KNOWN), (KNOWN, KNOWN[:0])])
def test_too_few_clips_are_an_error(training, unseen):
    with pytest.raises(ValueError, match=r"training clips|unseen speakers"):
        fit_novelty_detector(training, unseen)


def test_clips_that_are_all_alike_are_no_division_by_zero():
    found = fit_novelty_detector(np.ones((5, 3)), np.ones((2, 3)))
    assert np.isfinite(found.distance(np.array([[1, 1, 1], [2, 1, 1.0]]))).all()


# --- in a checkpoint -------------------------------------------------------------------------------------------------


@pytest.fixture
def knowing(new_model, speech):
    """A model, and what it knows: two stretches of a voice, the second one unseen."""
    model = new_model()
    half = len(speech) // 2
    parts = (clip_windows(model, part) for part in (np.resize(speech[:half], 160_000), speech[half:]))
    model.novelty = fit_novelty_detector(*(run_windows(model, windows).embeddings for windows in parts))
    return model


def saved(model, folder) -> checkpoint.SERModel:
    training = {"protocol": "speaker-independent", "fold": "0"}
    save_model(model, folder, "resonet", model.calibration, training, model.novelty)
    return load_model(folder, "cpu")


def test_a_checkpoint_keeps_it(tmp_path, knowing):
    found = saved(knowing, tmp_path / "m").novelty
    for name, value in vars(knowing.novelty).items():
        np.testing.assert_array_equal(getattr(found, name), value)


def test_a_checkpoint_without_it_says_nothing(tmp_path, knowing, speech):
    knowing.novelty = None
    model = saved(knowing, tmp_path / "m")
    assert model.novelty is None and not (tmp_path / "m" / NOVELTY_FILE).exists()
    assert predict(model, speech).novelty is None and run_windows(model, [speech]).distances is None


@pytest.mark.parametrize("content", [b"", b"torn", None])
def test_a_damaged_file_is_named(tmp_path, knowing, content):
    folder = tmp_path / "m"
    saved(knowing, folder)
    path = folder / NOVELTY_FILE
    if content is None:
        replace(knowing.novelty, whitening=np.eye(3)).save(path)
    else:
        path.write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(f"m/{NOVELTY_FILE}")):
        load_model(folder, "cpu")


# --- in an answer ----------------------------------------------------------------------------------------------------


def test_the_logits_of_a_window_are_divided_by_a_power_of_its_distance(knowing, speech):
    windows = clip_windows(knowing, speech)
    plain, (_, milder) = run_windows(knowing, windows), predict_with_windows(knowing, speech)
    knowing.calibration = Calibration(distance_power=0.5)
    scale = np.clip(plain.distances, 0.1, 4)[:, None] ** 0.5
    np.testing.assert_allclose(run_windows(knowing, windows).logits, plain.logits / scale, rtol=1e-4)
    _, found = predict_with_windows(knowing, speech)
    assert not np.allclose(found.probabilities, milder.probabilities)
    assert (found.probabilities.argmax(1) == milder.probabilities.argmax(1)).all()


def test_an_answer_tells_its_percentile(knowing, speech):
    prediction, trajectory = predict_with_windows(knowing, speech)
    distance = run_windows(knowing, [speech[round(s * 16_000) :][:40_000] for s in trajectory.start_s]).distances
    mean = (distance * trajectory.speech_s).sum() / trajectory.speech_s.sum()
    assert prediction.novelty == knowing.novelty.percentile(mean)


def test_what_lies_beyond_all_speech_is_not_answered(knowing, speech):
    known = knowing.novelty
    knowing.novelty = replace(known, unseen=known.unseen * 1e3)
    assert "out of distribution" not in predict(knowing, speech).reason
    knowing.novelty = replace(known, unseen=known.unseen * 1e-3)
    prediction = predict(knowing, speech)
    assert prediction.novelty == MAX_NOVELTY_PERCENTILE and prediction.abstain
    assert "out of distribution" in prediction.reason and f"{len(known.unseen)} recordings" in prediction.reason


def test_embeddings_and_logits_come_in_the_order_of_the_windows(knowing, speech):
    windows = [speech[:20_000], speech[:40_000], speech[20_000:50_000]]
    outputs = run_windows(knowing, windows)
    for window, row, far in zip(windows, outputs.logits, outputs.distances, strict=True):
        embedding = run_windows(knowing, [window]).embeddings
        np.testing.assert_allclose(knowing.novelty.distance(embedding), far, rtol=1e-3)
        np.testing.assert_allclose(run_clips(knowing, [window]).logits[0], row, atol=1e-4)


def test_a_clip_is_cut_to_its_end(new_model, subtests):
    for n_samples, n_windows in [(1, 1), (40_000, 1), (40_001, 2), (100_000, 4)]:
        with subtests.test(n_samples=n_samples, n_windows=n_windows):
            clip = np.arange(n_samples, dtype=np.float32)
            windows = clip_windows(new_model(), clip)
            assert len(windows) == n_windows and windows[0][0] == 0 and windows[-1][-1] == n_samples - 1
