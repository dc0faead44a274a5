"""What is asked besides the emotion: it is learned, it is resumed, it changes the model, and it does not ship."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from ser_core.labels import EMOTIONS
from ser_core.training.auxiliary import (
    AuxiliaryTargets,
    AuxiliaryTask,
    auxiliary_heads,
    auxiliary_loss,
    auxiliary_targets,
    votes_task,
)
from ser_core.training.batches import BatchSource, TrainingData
from ser_core.training.config import TrainingError
from tests.training.test_trainer import (
    RECIPE,
    assert_same,
    assert_same_run,
    dev,
    interrupt,
    one_thread,
    run,
    store,
    train,
)

__all__ = ["dev", "one_thread", "run", "store", "train"]  # fixtures
CPU = torch.device("cpu")
LEVEL = AuxiliaryTask("level", {"a": np.array([1.0, -1.0]), "b": np.array([0.5, 2.0])})
WEIGHTED = replace(RECIPE, side_tasks={"speaker": 0.5})


@pytest.fixture(scope="module")
def speaker(train) -> AuxiliaryTask:
    """Who speaks, of the training clips but one."""
    names = sorted({clip.id.split("/")[1].split("_")[0] for clip in train})
    rows = dict(zip(names, np.eye(len(names)), strict=True))
    return AuxiliaryTask(
        "speaker", {c.id: rows[c.id.split("/")[1].split("_")[0]] for c in train[1:]}, distribution=True
    )


def test_what_is_not_known_of_a_clip_is_not_asked():
    targets = auxiliary_targets(LEVEL, ["a", "stranger", "b"], CPU)
    assert targets.known.tolist() == [1, 0, 1] and targets.values.tolist() == [[1, -1], [0, 0], [0.5, 2]]
    output = torch.tensor([[1.0, -1.0], [9.0, 9.0], [0.5, 3.0]])
    assert auxiliary_loss(LEVEL, output, targets).item() == pytest.approx(
        0.25 / 3
    )  # half the squared error, over 2 values


def test_votes_for_none_of_the_clips_are_refused(train, tmp_path):
    """As on the fold that leaves CREMA-D out."""
    (tmp_path / "crema_d").mkdir()
    votes = tmp_path / "crema_d" / "voice_votes.csv"
    votes.write_text(f"clip,angry,sad\n{train[0].id.partition('/')[2]},3,1\n")
    assert votes_task(train, tmp_path).values.keys() == {train[0].id}
    with pytest.raises(TrainingError, match="votes for none of the training clips"):
        votes_task(train[1:], tmp_path)


def test_a_distribution_is_learned_by_cross_entropy():
    task = AuxiliaryTask("votes", {"a": np.array([0.25, 0.75])}, distribution=True)
    output = torch.tensor([[0.3, -0.2]])
    found = auxiliary_loss(task, output, auxiliary_targets(task, ["a"], CPU))
    assert found.item() == pytest.approx(F.cross_entropy(output, torch.tensor([[0.25, 0.75]])).item())


def test_a_batch_asks_for_the_mixture_that_it_holds(train, store, new_model, speaker):
    config = replace(WEIGHTED, mixup_alpha=1.0)
    batch = next(BatchSource(new_model(), config, TrainingData(train, [], store, [speaker])).epoch(0))
    ((_, targets),) = batch.auxiliary
    assert ((targets.values > 0).sum(1) > 1).any()  # of two speakers
    torch.testing.assert_close(targets.values.sum(1), torch.ones(len(targets.values)))


def test_side_tasks_are_mixed_by_the_shares_of_the_emotions(train, store, new_model):
    rows = dict(zip(EMOTIONS, np.eye(len(EMOTIONS)), strict=True))
    same = AuxiliaryTask("speaker", {clip.id: rows[clip.emotion] for clip in train}, distribution=True)
    config = replace(WEIGHTED, mixup_alpha=1.0, label_smoothing=0.0)
    for batch in BatchSource(new_model(), config, TrainingData(train, [], store, [same])).epoch(0):
        torch.testing.assert_close(batch.auxiliary[0][1].values, batch.targets)


def test_mixed_clips_are_asked_the_mixture_of_what_is_known():
    targets = AuxiliaryTargets(torch.tensor([[1.0], [3.0], [0.0]]), torch.tensor([1.0, 1.0, 0.0]))
    mixed = targets.mixed(torch.tensor([1, 2, 0]), torch.tensor([0.25, 0.6, 0.9]))
    assert mixed.known.tolist() == pytest.approx([1.0, 0.6, 0.1])
    assert mixed.values[:, 0].tolist() == pytest.approx([2.5, 3.0, 1.0])


@pytest.mark.slow
def test_a_side_task_changes_what_is_learned_and_does_not_ship(run, tmp_path, speaker):
    plain = run(tmp_path / "plain")
    asked = run(tmp_path / "asked", WEIGHTED, auxiliary_tasks=[speaker])
    assert asked.state_dict().keys() == plain.state_dict().keys()
    assert not torch.equal(asked.stages[0].enter.conv.weight, plain.stages[0].enter.conv.weight)


@pytest.mark.slow
def test_an_interrupted_run_goes_on_to_the_same_end(run, tmp_path, speaker):
    complete = run(tmp_path / "complete", WEIGHTED, auxiliary_tasks=[speaker])
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "torn", WEIGHTED, auxiliary_tasks=[speaker], on_step=interrupt(8))
    model = run(tmp_path / "torn", WEIGHTED, auxiliary_tasks=[speaker], resume=True)
    assert_same(model, complete)
    assert_same_run(tmp_path / "torn", model, (tmp_path / "complete", complete))


def test_a_task_that_the_recipe_names_must_be_given(run, tmp_path, speaker):
    with pytest.raises(TrainingError, match=r"\['speaker'\]"):
        run(tmp_path / "run", WEIGHTED)
    with pytest.raises(TrainingError, match=r"\[\]"):
        run(tmp_path / "run", RECIPE, auxiliary_tasks=[speaker])
    assert not (tmp_path / "run").exists()


def test_each_task_has_a_layer_of_its_own_size(speaker):
    layers = auxiliary_heads([LEVEL, speaker], 16)
    assert {name: layer.weight.shape for name, layer in layers.items()} == {
        "level": (2, 16),
        "speaker": (speaker.dim, 16),
    }
