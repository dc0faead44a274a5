"""Tuning of the upper layers of the encoder together with a head that was fitted on the frozen ones.

The layers are tuned whole, or by updates of low rank (LoRA, Hu et al. 2021). The weights can be taken back towards the
frozen ones (WiSE-FT, Wortsman et al. 2022): what is learned on known corpora may be wrong for others.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ser_core.models import Whisper, use_float32
from ser_core.training.config import TrainConfig, TrainingExample
from ser_core.training.frozen.head import HeadBatches, HeadConfig
from ser_core.training.frozen.tuning_state import TuningState
from ser_core.training.optimiser import learning_rate

FRAMES_PER_S = 50
UPDATE_SCALE = 2.0  # of an update of low rank, whatever its rank
N_POOLED = 16  # clips at once
SCHEDULE = TrainConfig(learning_rate=1.0, warmup_share=0.1)
"""Of the rates, relative to their peaks."""
EPOCH_SEEDS = 1000  # between the seeds of two epochs


class LowRankUpdate(nn.Module):
    """What is added to the weight of a linear layer: a product of two narrow matrices, zero at first."""

    def __init__(self, linear: nn.Linear, rank: int):
        super().__init__()
        self.down = nn.Linear(linear.in_features, rank, bias=False)
        self.up = nn.Linear(rank, linear.out_features, bias=False)
        nn.init.zeros_(self.up.weight)
        self._hook = linear.register_forward_hook(self._add)

    def _add(self, _: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        return output + UPDATE_SCALE * self.up(self.down(inputs[0]))

    @torch.no_grad()
    def merge(self, linear: nn.Linear) -> None:
        """Adds the product to the weight, and nothing to the output any more."""
        self._hook.remove()
        linear.weight += UPDATE_SCALE * self.up.weight @ self.down.weight


class EncoderTuning:
    """Tunes layers and head of a model in place, see `run`.

    Args:
        model: with a head that was fitted on the frozen encoder; its config names the tuned layers.
        frames: of the training clips, see frames_layer.
        clips: of training.
    """

    def __init__(
        self, model: Whisper, frames: Sequence[np.ndarray], clips: Sequence[TrainingExample], config: HeadConfig
    ):
        use_float32(model.encoder)
        torch.manual_seed(config.seed)
        self.model, self.frames, self.clips, self.config = model, frames, clips, config
        self._start = {name: value.clone() for name, value in model.state_dict().items()}
        layers = [model.encoder.layers[number - 1] for number in model.config.tuned_layers]
        rank = model.config.lora_rank
        linears = [module for layer in layers for module in layer.modules() if isinstance(module, nn.Linear)]
        self._updates = [(LowRankUpdate(linear, rank), linear) for linear in linears] if rank else []
        tuned = [update for update, _ in self._updates] if rank else [layer.requires_grad_(True) for layer in layers]
        self._trained = nn.ModuleList([model.classifier, *tuned])
        self._optimiser = self._make_optimiser()

    def run(
        self,
        statistics: np.ndarray,
        path: Path,
        resume: bool = False,
        progress: Callable[[int, int, float], None] = lambda step, n_steps, loss: None,
    ) -> None:
        """Trains; the result of a resumed run is that of an uninterrupted one.

        Args:
            statistics: of the training clips by the frozen encoder, shape = (n_clips, n_statistics).
            path: of the file that holds what was reached after each epoch.
            resume: go on from that file, if there is one.
            progress: called after each step with the number of steps done, that of all, and the loss.

        Raises:
            TrainingError: the file is of another training.
        """
        recipe = replace(self.config, tuning=replace(self.config.tuning, share=1.0))  # the share comes after training
        state = TuningState(path, self._trained, self._optimiser, (self.model.config, recipe, self.clips))
        first = state.restore() if resume else 0
        for epoch in range(first, self.config.tuning.epochs):
            self._train_epoch(epoch, pool_clips(self.model, self.frames, bf16=True) if epoch else statistics, progress)
            state.save(epoch + 1)
        for update, linear in self._updates:
            update.merge(linear)
        self.model.encoder.requires_grad_(False)
        self._approach_start()

    def _make_optimiser(self) -> torch.optim.AdamW:
        """The head has a rate of its own, and alone has weight decay."""
        head, *tuned = self._trained
        tuning, encoder = self.config.tuning, [p for module in tuned for p in module.parameters()]
        return torch.optim.AdamW(
            [
                {"params": [*head.parameters()], "peak": tuning.head_rate, "weight_decay": self.config.weight_decay},
                {"params": encoder, "peak": tuning.learning_rate, "weight_decay": 0.0},
            ]
        )

    def _train_epoch(self, epoch: int, statistics: np.ndarray, progress: Callable[[int, int, float], None]) -> None:
        """References are of the embeddings at the start of the epoch."""
        tuning, model = self.config.tuning, self.model
        own = replace(self.config, batch_size=tuning.batch_size, seed=self.config.seed + EPOCH_SEEDS * epoch)
        with torch.no_grad():
            batches = HeadBatches(
                model.projection(torch.from_numpy(statistics))[None], self.clips, model.config.labels, own
            )
        references, n_steps = batches.references()[0], max(1, tuning.draws // tuning.batch_size)
        for step in range(n_steps * epoch, n_steps * (epoch + 1)):
            chosen = batches.draw()
            parts = [random_part(self.frames[int(i)], tuning.max_clip_s, batches.rng) for i in chosen]
            embedding = model.projection(pool_batch(model, parts, bf16=True))
            inputs, targets = batches.mix(embedding, references[chosen], batches.targets[chosen])
            loss = F.cross_entropy(model.classifier(inputs), targets, label_smoothing=self.config.label_smoothing)
            self._step(loss, learning_rate(step, n_steps * tuning.epochs, SCHEDULE))
            progress(step + 1, n_steps * tuning.epochs, float(loss.detach()))

    def _step(self, loss: Tensor, rate: float) -> None:
        loss.backward()
        nn.utils.clip_grad_norm_(self._trained.parameters(), self.config.tuning.clip_norm)
        for group in self._optimiser.param_groups:
            group["lr"] = group["peak"] * rate
        self._optimiser.step()
        self._optimiser.zero_grad()

    @torch.no_grad()
    def _approach_start(self) -> None:
        """Takes every weight back towards the frozen encoder and the head that was fitted on it."""
        for name, value in self.model.state_dict().items():
            value.lerp_(self._start[name], 1 - self.config.tuning.share)


def frames_layer(model: Whisper) -> int:
    """The layer whose frames a model is tuned on: below the tuned ones, and not above a pooled one."""
    return min(min(model.config.tuned_layers) - 1, *model.config.layers)


def random_part(frames: np.ndarray, max_s: float, rng: np.random.Generator) -> np.ndarray:
    """A random part of a clip, as long as it may be."""
    length = min(len(frames), max(1, round(max_s * FRAMES_PER_S)))
    first = int(rng.integers(len(frames) - length + 1))
    return frames[first : first + length]


def pool_batch(model: Whisper, frames: Sequence[np.ndarray], bf16: bool) -> Tensor:
    """Statistics of clips by the model's own encoder, shape = (n_clips, n_statistics).

    Args:
        frames: see frames_layer; each of shape (n_frames, d_model).
    """
    padded = nn.utils.rnn.pad_sequence([torch.tensor(own, dtype=torch.float32) for own in frames], batch_first=True)
    n_steps = torch.tensor([len(own) for own in frames])
    with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
        return model.pool(padded, n_steps, frames_layer(model)).flatten(1)


@torch.no_grad()
def pool_clips(model: Whisper, frames: Sequence[np.ndarray], bf16: bool = False) -> np.ndarray:
    """The same of any number of clips, in batches of similar length; float32."""
    order = np.argsort([len(own) for own in frames], kind="stable")
    found = np.empty((len(frames), model.config.n_statistics), np.float32)
    for first in range(0, len(order), N_POOLED):
        rows = order[first : first + N_POOLED]
        found[rows] = pool_batch(model, [frames[int(row)] for row in rows], bf16).numpy()
    return found
