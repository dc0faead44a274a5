"""The training loop: it learns, it loses at most an epoch, and it does with the clips what the recipe says."""

import copy
import errno
import json
import shutil
from collections import Counter
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch.nn import functional as F

from ser_core import paths
from ser_core.data.audio_store.reading import AudioStore, TrimmedClips
from ser_core.inference.prediction.predict import predict
from ser_core.labels import EMOTIONS
from ser_core.metrics import uar
from ser_core.training import batches as training_batches, run_state, trainer
from ser_core.training.augment.draw import AugmentConfig
from ser_core.training.batches import BatchSource, Mixup, TrainingBatch, TrainingData, class_weights, sample_epoch
from ser_core.training.config import TrainConfig, TrainingError, TrainingExample
from ser_core.training.optimiser import learning_rate, make_optimiser
from ser_core.training.run_state import TrainingRun, TrainingState
from ser_core.training.trainer import Callbacks, dev_confusion_matrices, fit, training_step
from tests.make_corpus import DEV_SPEAKERS, TRAIN_SPEAKERS, clips

PLAIN = AugmentConfig(speed=0, gain_db=0, noise_chance=0, shift_s=0, warp=0, tilt=0, n_masks=0)
RECIPE = TrainConfig(epochs=3, batch_size=8, learning_rate=5e-3, ema_decay=0.8, bf16=False)
N_STEPS = 5 * RECIPE.epochs  # 36 clips in batches of 8


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """More of them only get in each other's way with models this small."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def store(cache) -> AudioStore:
    return AudioStore(cache)


@pytest.fixture(scope="module")
def train(crema_d) -> list[TrainingExample]:
    return clips(crema_d, TRAIN_SPEAKERS)


@pytest.fixture(scope="module")
def dev(crema_d) -> list[TrainingExample]:
    return clips(crema_d, DEV_SPEAKERS)


@pytest.fixture(scope="module")
def run(train, dev, store, new_model):
    """A function that trains a small model into a folder; keywords replace the defaults."""

    def start(folder, config=RECIPE, model=None, teachers=(), resume=False, start="", **changes):
        torch.manual_seed(config.seed)  # as scripts.train does: the layers of side tasks start at random
        hooks = Callbacks(**{name: changes.pop(name) for name in ("on_step", "on_epoch") if name in changes})
        data = TrainingData(**{"train": train, "dev": dev, "store": store} | changes)
        return fit(model or new_model(), config, data, TrainingRun(folder, resume, start), teachers, hooks)

    return start


@pytest.fixture(scope="module")
def complete(run, tmp_path_factory):
    """An uninterrupted run: its folder and the model it returned."""
    folder = tmp_path_factory.mktemp("runs") / "complete"
    return folder, run(folder)


def interrupt(at_step: int):
    def on_step(step: int, n_steps: int, loss: float) -> None:
        if step == at_step:
            raise KeyboardInterrupt

    return on_step


def records(folder) -> list[dict]:
    """The lines of metrics.jsonl without what the clock says."""
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k not in ("seconds", "clips_per_s")} for line in lines]


def assert_same(one: torch.nn.Module, other: torch.nn.Module) -> None:
    for (name, a), b in zip(one.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(a, b), name


def assert_same_run(folder, model, complete) -> None:
    assert_same(model, complete[1])
    assert records(folder) == records(complete[0])
    kept, expected = (load_file(path / "state.safetensors") for path in (folder, complete[0]))
    assert kept.keys() == expected.keys()
    assert all(torch.equal(kept[name], value) for name, value in expected.items())


# --- it learns -------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_loss_falls_and_the_emotions_are_learned(run, tmp_path, train, dev, store):
    config = replace(RECIPE, epochs=12, learning_rate=1e-2, augment=PLAIN, mixup_alpha=0.01)
    model = run(tmp_path / "run", config)
    losses = [record["loss"] for record in records(tmp_path / "run")]
    assert losses[-1] < 0.75 * losses[0]
    assert dev_uar(model, train, store)["crema_d"] > 0.5
    last = records(tmp_path / "run")[-1]
    assert dev_uar(model, dev, store)["crema_d"] == last["dev_uar_crema_d"] > 0.4
    assert np.sum(last["dev_confusion"]["crema_d"]) == len(dev)


@pytest.mark.slow
def test_on_epoch_gets_the_average_of_the_weights(run, tmp_path):
    seen = []

    def keep(epoch, average):
        seen.append((epoch, copy.deepcopy(average)))

    last = run(tmp_path / "a", on_epoch=keep)
    assert [epoch for epoch, _ in seen] == list(range(1, len(seen) + 1)) and len(seen) > 1
    for name, value in seen[-1][1].state_dict().items():
        torch.testing.assert_close(value, last.state_dict()[name])
    run(tmp_path / "a", resume=True, on_epoch=keep)  # as if killed before the last call
    assert seen[-1][0] == seen[-2][0] == RECIPE.epochs and len(seen) == RECIPE.epochs + 1
    assert_same(seen[-1][1], seen[-2][1])
    assert any((a != b).any() for a, b in zip(seen[0][1].parameters(), last.parameters(), strict=True))


def test_what_a_run_leaves_behind(complete):
    folder, model = complete
    curves = set(folder.glob("events.out.tfevents.*"))
    assert {p.name for p in {*folder.iterdir()} - curves} == {"config.json", "metrics.jsonl", "state.safetensors"}
    assert bool(curves) == (find_spec("tensorboard") is not None)
    assert json.loads((folder / "config.json").read_text())["train"] == json.loads(json.dumps(asdict(RECIPE)))
    assert [record["epoch"] for record in records(folder)] == [1, 2, 3]
    assert set(records(folder)[0]) == {"epoch", "loss", "learning_rate", "dev_uar_crema_d", "dev_confusion"}
    assert not model.training


def test_bf16_trains_with_float32_weights(run, tmp_path):
    model = run(tmp_path / "run", replace(RECIPE, epochs=1, bf16=True))
    assert np.isfinite(records(tmp_path / "run")[0]["loss"])
    assert {p.dtype for p in model.parameters()} == {torch.float32}


def test_the_same_seed_gives_the_same_model_and_another_seed_another_one(run, tmp_path, complete):
    torch.rand(3)  # the state of the global generator must not matter
    assert_same(run(tmp_path / "again"), complete[1])
    other = run(tmp_path / "other", replace(RECIPE, seed=1))
    assert not torch.equal(other.head[1].weight, complete[1].head[1].weight)


def test_the_recipe_survives_json():
    recipe = replace(RECIPE, augment=AugmentConfig(warp=0.3), draws={"savee": 3.0})
    assert TrainConfig.from_dict(json.loads(json.dumps(asdict(recipe)))) == recipe


# --- interruptions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at_step", [2, 7, 10, N_STEPS])
def test_an_interrupted_run_goes_on_to_the_same_result(run, tmp_path, complete, new_model, at_step):
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(folder, on_step=interrupt(at_step))
    seed = 9 if (folder / "state.safetensors").is_file() else 0  # nothing comes from the new weights but a first epoch
    assert_same_run(folder, run(folder, model=new_model(seed=seed), resume=True), complete)


@pytest.mark.parametrize("written", [False, True])
@pytest.mark.parametrize(("module", "interrupted"), [(trainer, "dev_confusion_matrices"), (run_state, "_save_state")])
def test_an_interruption_at_the_end_of_an_epoch_loses_nothing(
    run, tmp_path, complete, monkeypatch, module, interrupted, written
):
    def interrupt(*arguments):
        if written:
            original(*arguments)
        raise KeyboardInterrupt

    original, folder = getattr(module, interrupted), tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, interrupted, interrupt)
        run(folder)
    assert_same_run(folder, run(folder, resume=True), complete)


def test_a_torn_line_of_the_log_is_written_again(run, tmp_path, complete):
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(folder, on_step=interrupt(7))
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "lo')
    assert_same_run(folder, run(folder, resume=True), complete)


def test_an_interrupted_write_leaves_the_last_state(run, tmp_path, complete):
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        run(folder, on_step=interrupt(7))
    (folder / "state.safetensors.tmp").write_bytes(b"half a file")
    assert_same_run(folder, run(folder, resume=True), complete)


def test_a_full_disk_loses_one_epoch_and_says_how_to_go_on(run, tmp_path, complete, monkeypatch):
    folder, save = tmp_path / "run", run_state.save_file

    def full(tensors, path, metadata):
        if metadata["epoch"] == "2":
            path.write_bytes(b"half a file")
            raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
        save(tensors, path, metadata)

    with (
        monkeypatch.context() as patch,
        pytest.raises(TrainingError, match=r"Epoch 2 of run .*No space left.*--resume"),
    ):
        patch.setattr(run_state, "save_file", full)
        run(folder)
    assert not (folder / "state.safetensors.tmp").exists()
    assert_same_run(folder, run(folder, resume=True), complete)


@pytest.mark.parametrize("full", ["config.json", "metrics.jsonl"])
def test_a_full_disk_at_resume_is_an_error_and_changes_nothing(run, tmp_path, complete, monkeypatch, full):
    folder, write = tmp_path / "run", Path.write_text
    shutil.copytree(complete[0], folder)
    with (folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 4}\n')
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def write_half(path, text):
        if not path.name.startswith(full):
            return write(path, text)
        write(path, text[: len(text) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", write_half)
    with pytest.raises(TrainingError, match=r"run cannot be written: No space left.*--resume"):
        run(folder, resume=True)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_finished_run_only_returns_its_model(run, complete, new_model):
    def never(step: int, n_steps: int, loss: float) -> None:
        raise AssertionError

    assert_same_run(complete[0], run(complete[0], model=new_model(seed=9), resume=True, on_step=never), complete)


@pytest.mark.slow
def test_a_run_with_orthogonal_steps_is_resumed_too(run, tmp_path):
    config = replace(RECIPE, orthogonal=True)
    complete = tmp_path / "complete", run(tmp_path / "complete", config)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", config, on_step=interrupt(at_step=3))
    assert_same_run(tmp_path / "run", run(tmp_path / "run", config, resume=True), complete)


def test_resume_without_a_state_starts_at_the_beginning(run, tmp_path, complete):
    assert_same_run(tmp_path / "run", run(tmp_path / "run", resume=True), complete)


def test_an_existing_run_is_not_overwritten(run, complete):
    with pytest.raises(TrainingError, match=r"complete .*--resume"):
        run(complete[0])


@pytest.mark.parametrize("change", [{"seed": 1}, {"epochs": 4}, {"augment": AugmentConfig(warp=0.2)}], ids=str)
def test_another_recipe_is_not_resumed(run, complete, change):
    with pytest.raises(TrainingError, match=r"complete .*config"):
        run(complete[0], replace(RECIPE, **change), resume=True)


def test_another_model_is_not_resumed(run, complete, new_model):
    with pytest.raises(TrainingError, match=r"complete .*config"):
        run(complete[0], model=new_model(embedding_dim=16), resume=True)


def test_other_start_weights_are_not_resumed(run, complete):
    with pytest.raises(TrainingError, match=r"complete .*start weights"):
        run(complete[0], start="imagenet.safetensors", resume=True)


def test_other_clips_are_not_resumed(run, complete, train, dev):
    """Another fold under the same name would train on speakers that are to be tested."""
    with pytest.raises(TrainingError, match=r"complete .*recordings"):
        run(complete[0], train=train[1:] + dev[:1], resume=True)
    with pytest.raises(TrainingError, match=r"complete .*recordings"):
        run(complete[0], train=[replace(clip, emotion="calm") for clip in train], resume=True)


def test_nothing_to_train_on(run, tmp_path):
    with pytest.raises(TrainingError, match=r"(?i)clip"):
        run(tmp_path / "run", train=[])
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "change, message", [({"emotion": "joy"}, "unknown emotion 'joy'"), ({"id": "x/y"}, "x/y is not")]
)
def test_a_clip_that_no_epoch_could_use_is_named_before_the_first(run, train, dev, tmp_path, change, message):
    for parts in ({"train": [replace(train[0], **change), *train[1:]]}, {"dev": [replace(dev[0], **change)]}):
        with pytest.raises(TrainingError, match=message):
            run(tmp_path / "run", **parts)
    assert not (tmp_path / "run").exists()


# --- who is trained on -----------------------------------------------------------------------------------------------


def test_the_development_part_is_never_trained_on(run, tmp_path, complete, dev):
    assert_same(run(tmp_path / "none", dev=[]), complete[1])
    mislabelled = [replace(clip, emotion="calm") for clip in dev]
    assert_same(run(tmp_path / "mislabelled", dev=mislabelled), complete[1])
    assert "dev_uar_crema_d" not in records(tmp_path / "none")[0]


def test_every_clip_is_drawn_once_an_epoch(train, store, new_model, monkeypatch):
    drawn = []

    class Spy(TrimmedClips):
        def cut(self, chosen, longest, rng):
            drawn.extend(chosen.tolist())
            return super().cut(chosen, longest, rng)

    monkeypatch.setattr(training_batches, "TrimmedClips", Spy)
    for epoch in range(2):
        batches(train, store, new_model(), epoch=epoch)
    assert Counter(drawn) == dict.fromkeys(range(len(train)), 2)
    assert drawn[:36] != drawn[36:]


def test_an_epoch_draws_each_corpus_as_often_as_the_recipe_says(train):
    """36 clips: 20 as TESS, half of them an epoch; 10 as SAVEE, two and a half times; 6 of a corpus without a rule."""
    corpora = ["tess"] * 20 + ["savee"] * 10 + ["crema_d"] * 6
    relabelled = [replace(clip, corpus=corpus) for clip, corpus in zip(train, corpora, strict=True)]
    config = replace(RECIPE, draws={"tess": 0.5, "savee": 2.5, "ravdess": 9.0})
    epochs = [sample_epoch(relabelled, config, np.random.default_rng(seed)).tolist() for seed in range(200)]
    times = [Counter(order) for order in epochs]
    assert {len(order) for order in epochs} == {10 + 25 + 6}
    assert {count[i] for count in times for i in range(20)} == {0, 1}
    assert {count[i] for count in times for i in range(20, 30)} == {2, 3}
    assert {count[i] for count in times for i in range(30, 36)} == {1}
    mean = np.array([[count[i] for i in range(36)] for count in times]).mean(0)
    assert np.allclose(mean[:20], 0.5, atol=0.15) and np.allclose(mean[20:30], 2.5, atol=0.15)
    firsts = [order[0] for order in epochs]
    assert min(firsts) < 20 and max(firsts) >= 30  # shuffled over the corpora
    assert epochs[0] == sample_epoch(relabelled, config, np.random.default_rng(0)).tolist()


def test_the_steps_of_a_run_are_those_of_its_draws(run, tmp_path, train, new_model):
    seen = []
    config = replace(RECIPE, epochs=2, draws={"crema_d": 2.0})
    run(tmp_path / "run", config, on_step=lambda step, n_steps, loss: seen.append((step, n_steps)))
    assert seen == [(step, 18) for step in range(1, 19)]  # 72 draws in batches of 8, twice
    assert records(tmp_path / "run")[-1]["learning_rate"] == pytest.approx(0, abs=1e-12)


def test_classes_are_weighed_by_how_often_they_are_drawn(train):
    angry, sad = ([clip for clip in train if clip.emotion == emotion] for emotion in ("angry", "sad"))
    relabelled = angry + [replace(clip, corpus="savee") for clip in sad]
    labels = ("angry", "sad", "calm")
    config = replace(RECIPE, class_balance=0.5, draws={"savee": 4.0})
    weights = class_weights(relabelled, labels, config)
    assert weights[0] / weights[1] == pytest.approx(2.0) and weights[2] == 0
    assert (weights[0] + 4 * weights[1]) / 5 == pytest.approx(1.0)


@pytest.mark.parametrize("n_clips", [9, 17, 33])
def test_no_batch_is_a_single_clip(train, store, new_model, n_clips):
    """Batch norm cannot learn from one."""
    found = batches(train[:n_clips], store, new_model())
    assert min(len(batch.features) for batch in found) > 1
    assert sum(len(batch.features) for batch in found) == n_clips


# --- what a batch holds ----------------------------------------------------------------------------------------------


def batches(train, store, model, epoch=0, teachers=(), **changes) -> list[TrainingBatch]:
    """One epoch under RECIPE with some of its values replaced."""
    source = BatchSource(model, replace(RECIPE, **changes), TrainingData(train, (), store), teachers)
    return list(source.epoch(epoch))


@pytest.mark.parametrize(("smoothing", "alpha"), [(0.0, 0.001), (0.1, 0.001), (0.1, 0.4), (0.3, 1.0)])
def test_targets_are_probabilities(train, store, new_model, smoothing, alpha):
    targets = torch.cat(
        [b.targets for b in batches(train, store, new_model(), label_smoothing=smoothing, mixup_alpha=alpha)]
    )
    torch.testing.assert_close(targets.sum(1), torch.ones(36))
    assert targets.min().item() == pytest.approx(smoothing / 8, abs=1e-6)
    assert targets.max().item() == pytest.approx(1 - smoothing + smoothing / 8, abs=0.06)
    mixed = (targets > smoothing / 8 + 1e-3).sum(1) > 1
    assert mixed.any() == (alpha > 0.1)


def test_mixup_mixes_sound_target_and_length_alike():
    features, n_frames = torch.randn(8, 1, 4, 20), torch.arange(8) + 10
    rng = np.random.default_rng(0)
    mix = Mixup.draw(8, 0.4, rng, torch.device("cpu"))
    mixed, targets, lengths = mix.apply(features, torch.eye(8), n_frames)
    torch.testing.assert_close(mixed, torch.einsum("ij,jchw->ichw", targets, features))
    torch.testing.assert_close(targets.sum(1), torch.ones(8))
    partners = (targets > 0).float() * n_frames
    assert ((targets > 0.05).sum(1) == 2).any() and (lengths >= partners.amax(1)).all()
    assert lengths.tolist() != n_frames.tolist()


def test_training_and_prediction_have_the_same_features(train, store, new_model, monkeypatch):
    """Without augmentation the features of a clip are the same to the last digit: no levelling here and none there."""
    monkeypatch.setattr(Mixup, "apply", lambda self, *unmixed: unmixed)
    model = new_model()
    found = []
    for batch in batches(train, store, model, augment=PLAIN):
        for row, n in zip(batch.features, batch.n_frames.tolist(), strict=True):
            found.append(row[..., :n])
    model.eval().logmel.register_forward_hook(lambda module, args, features: predicted.append(features))
    for clip in train[:5]:
        predicted = []
        predict(model, store.waveform(clip.id), speech=())
        (features,) = predicted
        assert any(f.shape == features[0].shape and torch.allclose(f, features[0], atol=1e-5) for f in found)


def test_the_waveform_is_augmented_before_the_features_are_taken(train, store, new_model):
    plain = batches(train, store, new_model(), augment=PLAIN)
    faster = batches(train, store, new_model(), augment=replace(PLAIN, speed=0.15))
    lengths = [torch.cat([batch.n_frames for batch in found]) for found in (plain, faster)]
    assert (lengths[0] != lengths[1]).float().mean() > 0.6
    noisy = batches(train, store, new_model(), augment=replace(PLAIN, noise_chance=1.0))
    assert (noisy[0].features - plain[0].features).abs().mean() > 0.02


def test_the_bands_of_a_batch_are_tilted(train, store, new_model):
    plain, tilted = (
        batches(train, store, new_model(), augment=replace(PLAIN, tilt=tilt), mixup_alpha=1e-6)[0] for tilt in (0, 1)
    )
    assert (tilted.features - plain.features).abs().mean() > 0.1


def test_clips_longer_than_the_window_are_cropped_at_random(train, store, new_model):
    model = new_model(window_s=0.2)
    found = [batches(train, store, model, epoch, augment=PLAIN) for epoch in range(2)]
    assert {n for batch in found[0] for n in batch.n_frames.tolist()} == {1 + 3200 // 256}
    shorter = batches(train, store, new_model(window_s=0.4), augment=PLAIN, crop_s=0.2)
    assert {n for batch in shorter for n in batch.n_frames.tolist()} == {1 + 3200 // 256}


# --- teachers ---------------------------------------------------------------------------------------------------------


def test_teachers_predict_the_student_s_own_input(train, store, new_model):
    """Their mean is the given share of the targets; they keep their weights and their statistics."""
    student, teachers = new_model(), [new_model(seed=seed).eval() for seed in (1, 2)]
    before = copy.deepcopy(teachers)
    plain, taught = (
        batches(train, store, student, teachers=given, distillation=share)
        for given, share in (((), 0.0), (teachers, 0.3))
    )
    for own, other in zip(plain, taught, strict=True):
        assert torch.equal(own.features, other.features) and torch.equal(own.weights, other.weights)
        with torch.no_grad():
            taught = [model.head(model.encode(own.features, own.n_frames)).softmax(1) for model in teachers]
        torch.testing.assert_close(other.targets, 0.7 * own.targets + 0.3 * (taught[0] + taught[1]) / 2)
    for model, kept in zip(teachers, before, strict=True):
        assert_same(model, kept)


@pytest.mark.slow
def test_a_student_learns_the_predictions_of_its_teacher(run, tmp_path, train, store, new_model):
    """Without its labels, all of which are wrong."""
    plain = replace(RECIPE, epochs=12, learning_rate=1e-2, augment=PLAIN, mixup_alpha=0.01)
    teacher = run(tmp_path / "teacher", plain)
    wrong = [replace(clip, emotion="disgust") for clip in train]
    student = run(tmp_path / "student", replace(plain, distillation=1.0), train=wrong, teachers=[teacher])
    assert dev_uar(student, train, store)["crema_d"] > 0.5


def test_soft_labels_are_mixed_into_the_targets(train, store, new_model):
    soft = np.full((len(train), len(EMOTIONS)), 0.125, np.float32)
    data, recipe = TrainingData(train, (), store, soft_labels=soft), replace(RECIPE, mixup_alpha=1e-6)
    own = next(BatchSource(new_model(), replace(recipe, distillation=0.8, label_smoothing=0), data).epoch(0))
    assert own.targets.sum(1).tolist() == pytest.approx([1.0] * len(own.targets))
    assert own.targets.amax(1).tolist() == pytest.approx([0.3] * len(own.targets), abs=1e-3)
    with pytest.raises(TrainingError, match="distillation"):
        BatchSource(new_model(), recipe, data)
    same = np.eye(len(EMOTIONS), dtype=np.float32)[[EMOTIONS.index(clip.emotion) for clip in train]]
    recipe = replace(recipe, distillation=0.8, label_smoothing=0)
    for batch in BatchSource(new_model(), recipe, replace(data, soft_labels=same)).epoch(0):
        assert batch.targets.amax(1).tolist() == pytest.approx([1.0] * len(batch.targets), abs=1e-3)


@pytest.mark.parametrize(("share", "n_teachers"), [(0.5, 0), (0.0, 1)])
def test_teachers_and_their_share_need_each_other(run, tmp_path, new_model, share, n_teachers):
    with pytest.raises(TrainingError, match=r"(?i)teacher.*distillation"):
        run(tmp_path / "run", replace(RECIPE, distillation=share), teachers=[new_model()] * n_teachers)


def test_a_teacher_of_another_front_end_is_refused(run, tmp_path, new_model):
    other = new_model()
    other.config = replace(other.config, frontend=replace(other.config.frontend, n_mels=80))
    with pytest.raises(TrainingError, match="front end"):
        run(tmp_path / "run", replace(RECIPE, distillation=0.5), teachers=[other])


# --- the loss --------------------------------------------------------------------------------------------------------


@pytest.fixture
def batch(new_model) -> TrainingBatch:
    features = new_model().frontend(torch.randn(4, 8000, generator=torch.Generator().manual_seed(0)))
    return TrainingBatch(features, torch.full((4,), features.shape[-1]), torch.eye(8)[:4], torch.ones(4))


def state(model) -> TrainingState:
    model.train().head[0].p = 0.0  # no dropout: the expected loss is computed in a pass of its own
    return TrainingState(model, model, torch.optim.SGD([{"params": model.parameters(), "share": 1.0}]))


def test_the_loss_is_the_weighted_cross_entropy(new_model, batch):
    model = new_model()
    start = state(model)
    each = F.cross_entropy(model.head(model.encode(batch.features, batch.n_frames)), batch.targets, reduction="none")
    weights = torch.tensor([2.0, 1.0, 0.5, 0.0])
    found = training_step(start, replace(batch, weights=weights), RECIPE, 10)
    assert found == pytest.approx((each * weights).mean().item(), rel=1e-5)
    assert found != pytest.approx(each.mean().item(), rel=1e-3)


def test_class_weights_even_out_the_classes_and_keep_the_scale(store, new_model, train):
    angry, sad = ([clip for clip in train if clip.emotion == emotion] for emotion in ("angry", "sad"))
    uneven = angry + sad[:2]
    for balance, ratio in ((0.0, 1.0), (0.5, 3**0.5), (1.0, 3.0)):
        found = batches(uneven, store, new_model(), class_balance=balance, mixup_alpha=0.001, label_smoothing=0)
        weights, targets = (torch.cat([getattr(b, name) for b in found]) for name in ("weights", "targets"))
        per_class = {int(t.argmax()): float(w) for t, w in zip(targets, weights, strict=True)}
        assert per_class[3] / per_class[4] == pytest.approx(ratio, rel=0.02)
        assert weights.mean().item() == pytest.approx(1, rel=0.02)


def test_class_weights_change_what_is_learned(run, tmp_path, train):
    uneven = [clip for clip in train if clip.emotion == "angry" or "1037" in clip.id]
    models = [
        run(tmp_path / str(balance), replace(RECIPE, epochs=1, class_balance=balance), train=uneven)
        for balance in (0.0, 1.0)
    ]
    assert not torch.equal(models[0].head[1].weight, models[1].head[1].weight)
    assert records(tmp_path / "0.0")[0]["loss"] != records(tmp_path / "1.0")[0]["loss"]


def test_gradients_are_clipped(new_model, batch):
    model, config = new_model(), replace(RECIPE, clip_norm=1e-3, warmup_share=0)
    before = torch.nn.utils.parameters_to_vector(model.parameters()).clone()
    training_step(state(model), batch, config, 10)
    moved = torch.nn.utils.parameters_to_vector(model.parameters()) - before
    assert 0 < moved.norm() <= config.learning_rate * config.clip_norm * 1.01


def test_the_average_follows_the_weights(new_model, batch):
    model, average = new_model(seed=0), new_model(seed=1)
    start = replace(state(model), average=average, step=10_000)
    old = {name: value.clone() for name, value in average.state_dict().items()}
    training_step(start, batch, replace(RECIPE, ema_decay=0.75), 20_000)
    for name, value in model.state_dict().items():
        kept = average.state_dict()[name]
        if value.is_floating_point():
            torch.testing.assert_close(kept, 0.75 * old[name] + 0.25 * value)
        else:
            assert torch.equal(kept, value)


def test_the_learning_rate_warms_up_and_ends_at_zero():
    config = replace(RECIPE, learning_rate=1.0, warmup_share=0.1)
    rates = [learning_rate(i, 100, config) for i in range(101)]
    assert rates[0] == pytest.approx(0.1) and np.argmax(rates) in (9, 10) and max(rates) == 1.0
    assert all(np.diff(rates[10:]) < 0) and rates[100] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("done", [0, 9, 60, 99])
def test_each_step_uses_the_rate_of_its_moment(new_model, batch, done):
    start = replace(state(new_model()), step=done)
    training_step(start, batch, RECIPE, 100)
    (group,) = start.optimiser.param_groups
    assert group["lr"] == learning_rate(done, 100, RECIPE) and start.step == done + 1
    start = replace(start, step=done, optimiser=torch.optim.SGD([group | {"share": 0.5}]))
    training_step(start, batch, RECIPE, 100)
    assert start.optimiser.param_groups[0]["lr"] == 0.5 * learning_rate(done, 100, RECIPE)


def test_norms_and_biases_do_not_decay(new_model):
    groups = make_optimiser(new_model(), RECIPE).param_groups
    decayed, free = ([p for g in groups if bool(g["weight_decay"]) == wanted for p in g["params"]] for wanted in (1, 0))
    assert all(p.ndim > 1 for p in decayed) and all(p.ndim == 1 for p in free)
    assert len(decayed) + len(free) == len(list(new_model().parameters()))
    assert {g["weight_decay"] for g in groups} == {RECIPE.weight_decay, 0.0}


def test_orthogonal_steps_are_for_the_weights_of_hidden_layers(new_model):
    model = new_model()
    groups = make_optimiser(model, replace(RECIPE, orthogonal=True)).param_groups
    stepped = {p for g in groups if g["orthogonal"] for p in g["params"]}
    assert stepped == {p for p in model.parameters() if p.ndim > 1} - set(model.head.parameters())
    assert not any(g["orthogonal"] for g in make_optimiser(model, RECIPE).param_groups)


def test_attention_learns_at_its_own_rate(new_model):
    model, config = new_model(), replace(RECIPE, attention_rate=0.1)
    shares = {p: g["share"] for g in make_optimiser(model, config).param_groups for p in g["params"]}
    assert {shares[p] for p in model.attention.parameters()} == {0.1}
    assert {share for p, share in shares.items() if share != 0.1} == {1.0}
    assert sum(share == 0.1 for share in shares.values()) == len(list(model.attention.parameters()))


# --- watching --------------------------------------------------------------------------------------------------------


def dev_uar(model, clips, store):
    return {corpus: uar(matrix) for corpus, matrix in dev_confusion_matrices(model, clips, store, RECIPE.bf16).items()}


def test_the_development_score_is_the_mean_recall_of_each_corpus(new_model, store, dev):
    model = new_model()
    with torch.no_grad():
        model.head[1].weight.zero_()
        model.head[1].bias.copy_(torch.arange(8.0))  # always "surprise"
    assert dev_uar(model, dev, store) == {"crema_d": 0.0}
    relabelled = [replace(clip, emotion="surprise") for clip in dev[:6]] + [
        replace(clip, corpus="tess") for clip in dev[6:]
    ]
    assert dev_uar(model, relabelled, store) == {"crema_d": 1.0, "tess": 0.0}
    assert dev_uar(model, [], store) == {}


def test_one_process_trains_in_a_folder(tmp_path, run):
    run(tmp_path / "taken")
    before = (tmp_path / "taken" / "metrics.jsonl").read_bytes()
    taken = paths.only_writer(tmp_path / "taken", AssertionError())
    with taken, pytest.raises(TrainingError, match="Another process"):
        run(tmp_path / "taken", resume=True)
    assert (tmp_path / "taken" / "metrics.jsonl").read_bytes() == before
