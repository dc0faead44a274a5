"""Training loop of every neural model: the same recipe on a GPU and on two CPU cores."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.data import AudioStore
from ser_core.inference import run_clips
from ser_core.models import SERModel
from ser_core.training.auxiliary import auxiliary_loss
from ser_core.training.batches import BatchSource, TrainingBatch, TrainingData
from ser_core.training.config import TrainConfig, TrainingExample
from ser_core.training.optimiser import learning_rate, update_average
from ser_core.training.run_state import TrainingRun, TrainingState, new_state
from ser_core.training.runs import confusion_by_corpus, dev_figures


@dataclass(frozen=True)
class Callbacks:
    """Hooks of a training run."""

    on_step: Callable[[int, int, float], None] = lambda step, n_steps, loss: None
    """Called after each step with its number (from 1), the number of all steps, and the loss."""
    on_epoch: Callable[[int, SERModel], None] = lambda epoch, average: None
    """Called after each saved epoch with its number (from 1) and the model with the running average of the weights.

    A resumed run begins with the call for its last epoch.
    """


def fit(
    model: SERModel,
    config: TrainConfig,
    data: TrainingData,
    run: TrainingRun,
    teachers: Sequence[SERModel] = (),
    callbacks: Callbacks | None = None,
) -> SERModel:
    """Trains a model; after each epoch the run can be resumed from its folder.

    Args:
        model: initial weights, on the device of the training.
        teachers: models with the same front end and labels, on the same device; config.distillation weights them.

    Returns:
        The model with the running average of the weights, in eval mode.

    Raises:
        TrainingError: no training clip, a resume with another config or other clips, another process in the folder,
            or a full disk.
    """
    callbacks = callbacks or Callbacks()
    source = BatchSource(model, config, data, teachers)
    with run.only_writer():
        run.prepare(model, config)
        state = new_state(model, config, data)
        run.restore(state)
        if state.epoch:  # the process may have ended between saving it and this
            callbacks.on_epoch(state.epoch, state.average)
        for epoch in range(state.epoch, config.epochs):
            record = _train_epoch(state, source, epoch, callbacks)
            confusion = dev_confusion_matrices(state.average, data.dev, data.store, config.bf16)
            run.save_epoch(state, record | dev_figures(confusion))
            callbacks.on_epoch(state.epoch, state.average)
    return state.average.eval()


def _train_epoch(state: TrainingState, source: BatchSource, epoch: int, callbacks: Callbacks) -> dict:
    """Trains one epoch; returns its line of the learning curve without the development figures."""
    started, losses = time.perf_counter(), []
    for batch in source.epoch(epoch):
        losses.append(training_step(state, batch, source.config, source.n_steps))
        callbacks.on_step(state.step, source.n_steps, losses[-1])
    seconds = time.perf_counter() - started
    state.epoch = epoch + 1
    return {
        "epoch": state.epoch,
        "loss": float(np.mean(losses)),
        "learning_rate": learning_rate(state.step, source.n_steps, source.config),
        "seconds": round(seconds, 2),
        "clips_per_s": round(source.n_clips / seconds, 1),
    }


def training_step(state: TrainingState, batch: TrainingBatch, config: TrainConfig, n_steps: int) -> float:
    """Forward, backward, optimiser step and weight average for one batch; returns the loss.

    Args:
        n_steps: of the run, for the learning-rate schedule.
    """
    for group in state.optimiser.param_groups:
        group["lr"] = group["share"] * learning_rate(state.step, n_steps, config)
    loss = _loss(state, batch, config)
    loss.backward()
    nn.utils.clip_grad_norm_(state.model.parameters(), config.clip_norm)
    state.optimiser.step()
    state.optimiser.zero_grad()
    state.step += 1
    update_average(state.average, state.model, state.step, config.ema_decay)
    return loss.item()


def _loss(state: TrainingState, batch: TrainingBatch, config: TrainConfig) -> Tensor:
    """Weighted cross-entropy plus the weighted losses of the auxiliary tasks, a scalar."""
    with torch.autocast(batch.features.device.type, torch.bfloat16, enabled=config.bf16):
        embedding = state.model.encode(batch.features, batch.n_frames)
        logits = state.model.head(embedding)
        outputs = [state.auxiliary_heads[task.name](embedding) for task, _ in batch.auxiliary]
    loss = (F.cross_entropy(logits.float(), batch.targets, reduction="none") * batch.weights).mean()
    for (task, targets), output in zip(batch.auxiliary, outputs, strict=True):
        loss = loss + config.side_tasks[task.name] * auxiliary_loss(task, output, targets)
    return loss


def dev_confusion_matrices(
    model: SERModel, clips: Sequence[TrainingExample], store: AudioStore, bf16: bool
) -> dict[str, np.ndarray]:
    """Confusion matrix of each corpus among the clips, shape = (n_classes, n_classes)."""
    if not clips:
        return {}
    with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        y_pred = run_clips(model, [store.trimmed(clip.id) for clip in clips]).logits.argmax(1)
    return confusion_by_corpus(clips, y_pred, model.config.labels)
