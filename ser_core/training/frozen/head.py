"""Training of the linear head of a frozen encoder, for clips alone and for clips of an enrolled speaker."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ser_core.inference import MAX_REFERENCE_CLIPS, MIN_REFERENCE_CLIPS
from ser_core.models import Whisper, head_input
from ser_core.training.config import TrainingError, TrainingExample, check_emotions


@dataclass(frozen=True)
class TuningConfig:
    """How layers of the encoder are tuned after the head was fitted; which ones, the model's config says."""

    epochs: int = 2
    draws: int = 4000  # clips an epoch
    batch_size: int = 16
    learning_rate: float = 1e-3  # peak, of updates of low rank; 3e-5 for whole layers
    head_rate: float = 3e-4  # peak, of the head
    clip_norm: float = 1.0
    max_clip_s: float = 3.0  # of a longer clip, a random part is drawn
    share: float = 1.0  # of the way from the frozen weights to the tuned ones that is gone in the end


@dataclass(frozen=True)
class HeadConfig:
    """Training recipe of a head on a frozen encoder: every setting that changes the trained weights."""

    epochs: int = 15
    batch_size: int = 256
    learning_rate: float = 3e-3  # peak
    weight_decay: float = 0.3
    label_smoothing: float = 0.1
    mixup_alpha: float = 0.3
    noise: float = 0.3  # deviation of the Gaussian noise on the embeddings
    reference_chance: float = 0.5  # of a clip, to be seen relative to its speaker
    corpus_power: float = 0.5  # a corpus is drawn by its number of clips to this power
    passes: tuple[int, ...] = (0,)  # of the cache of statistics: 0 is the unmodified clips
    seed: int = 0
    tuning: TuningConfig = field(default_factory=TuningConfig)


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """For functions of torch that take no generator; its state is then that of before."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def fit_projection(model: Whisper, statistics: np.ndarray, seed: int) -> None:
    """Sets the projection of a model: standardised statistics on their principal components, without whitening.

    Whitening would give strange recordings' small components the weight of large ones: measured, 12 points of UAR less
    on corpora that were left out.

    Args:
        statistics: of the training clips, shape = (n_clips, n_statistics).
    """
    mean, deviation = statistics.mean(0), statistics.std(0) + 1e-6
    standard = torch.from_numpy((statistics - mean) / deviation)
    with _seeded(seed):
        _, _, axes = torch.pca_lowrank(standard, q=model.config.embedding_dim, center=False)
    weight = axes.T / torch.from_numpy(deviation) / (standard @ axes).std()
    with torch.no_grad():
        model.projection.weight.copy_(weight)
        model.projection.bias.copy_(-weight @ torch.from_numpy(mean))


def fit_head(
    model: Whisper,
    statistics: Sequence[np.ndarray],
    clips: Sequence[TrainingExample],
    config: HeadConfig,
    on_epoch: Callable[[dict], None] = lambda record: None,
) -> None:
    """Fits projection and head in place.

    Args:
        statistics: of the training clips in every pass of the recipe, each of shape (n_clips, n_statistics).
        clips: with speakers.
        on_epoch: called after each epoch with its line of the learning curve; it changes no weight.

    Raises:
        TrainingError: fewer than three emotions, fewer clips than dimensions of the embedding, or clips without
            speakers.
    """
    _check_clips(clips, model.config.embedding_dim)
    fit_projection(model, statistics[0], config.seed)
    with torch.no_grad():
        embeddings = torch.stack([model.projection(torch.from_numpy(rows)) for rows in statistics])
    batches = HeadBatches(embeddings, clips, model.config.labels, config)
    with _seeded(config.seed):
        model.classifier.reset_parameters()
    optimiser = torch.optim.AdamW(model.classifier.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=batches.n_steps * config.epochs, pct_start=0.1
    )
    for epoch in range(1, config.epochs + 1):
        started, losses = time.perf_counter(), []
        for inputs, targets in batches.epoch():
            loss = F.cross_entropy(model.classifier(inputs), targets, label_smoothing=config.label_smoothing)
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
            losses.append(loss.item())
        seconds, rate = round(time.perf_counter() - started, 2), schedule.get_last_lr()[0]
        on_epoch({"epoch": epoch, "loss": float(np.mean(losses)), "learning_rate": rate, "seconds": seconds})


class HeadBatches:
    """Random batches of embeddings, mixed, with or without the mean of other clips of the same speaker.

    Every class of a corpus is drawn equally often, and a corpus by a power of its size.

    Args:
        embeddings: shape = (n_passes, n_clips, embedding_dim).
    """

    def __init__(self, embeddings: Tensor, clips: Sequence[TrainingExample], labels: Sequence[str], config: HeadConfig):
        self.embeddings, self.config = embeddings, config
        self.targets = F.one_hot(torch.tensor([labels.index(clip.emotion) for clip in clips]), len(labels)).float()
        self.n_steps = max(1, len(clips) // config.batch_size)  # per epoch
        self._chances = draw_chances(clips, config.corpus_power)
        names, members = np.unique([clip.speaker for clip in clips], return_inverse=True)
        self._rows_by_speaker = [torch.from_numpy(np.nonzero(members == i)[0]) for i in range(len(names))]
        self.rng = np.random.default_rng(config.seed)

    def epoch(self) -> Iterator[tuple[Tensor, Tensor]]:
        """(inputs of the head, targets) of each batch; references are drawn again in each epoch."""
        references = self.references()
        for _ in range(self.n_steps):
            chosen = self.draw()
            number = self.rng.integers(len(self.embeddings))
            yield self.mix(self.embeddings[number, chosen], references[number, chosen], self.targets[chosen])

    def draw(self) -> Tensor:
        """Rows of the clips of one batch, shape = (batch_size,)."""
        return torch.from_numpy(self.rng.choice(len(self._chances), self.config.batch_size, p=self._chances))

    def mix(self, embedding: Tensor, reference: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
        """Mixup of clips and their references, noise, and a choice for each clip whether its reference is used."""
        alpha, size = self.config.mixup_alpha, len(embedding)
        share = torch.from_numpy(self.rng.beta(alpha, alpha, (size, 1))).float()
        share, order = torch.maximum(share, 1 - share), torch.from_numpy(self.rng.permutation(size))
        embedding, reference, targets = (x * share + x[order] * (1 - share) for x in (embedding, reference, targets))
        noise = self.config.noise * self.rng.standard_normal(embedding.shape, np.float32)
        used = torch.from_numpy(self.rng.random((size, 1)) < self.config.reference_chance).float()
        return head_input(embedding + torch.from_numpy(noise), reference, used), targets

    def references(self) -> Tensor:
        """For each clip the mean of 3 to 30 other clips of its speaker, shape as the embeddings."""
        found = self.embeddings.clone()
        for rows in self._rows_by_speaker:
            if len(rows) > 1:
                found[:, rows] = torch.from_numpy(self._draw_weights(len(rows))) @ self.embeddings[:, rows]
        return found

    def _draw_weights(self, n_clips: int) -> np.ndarray:
        """Weights of a speaker's clips in the reference of each, shape = (n_clips, n_clips)."""
        order = self.rng.random((n_clips, n_clips))
        np.fill_diagonal(order, np.inf)  # a clip is not its own reference
        most = min(MAX_REFERENCE_CLIPS, n_clips - 1)
        drawn = np.argpartition(order, most - 1, 1)[:, :most]
        drawn = self.rng.permuted(drawn, axis=1)
        n_drawn = np.minimum(self.rng.integers(MIN_REFERENCE_CLIPS, MAX_REFERENCE_CLIPS + 1, (n_clips, 1)), most)
        weights = np.zeros((n_clips, n_clips), np.float32)
        np.put_along_axis(weights, drawn, ((np.arange(most) < n_drawn) / n_drawn).astype(np.float32), 1)
        return weights


def draw_chances(clips: Sequence[TrainingExample], corpus_power: float) -> np.ndarray:
    """Probability of each clip to be drawn, shape = (n_clips,)."""
    corpora, emotions = np.array([clip.corpus for clip in clips]), np.array([clip.emotion for clip in clips])
    chances = np.zeros(len(clips))
    for corpus in np.unique(corpora):
        own = corpora == corpus
        for emotion in np.unique(emotions[own]):
            alike = own & (emotions == emotion)
            chances[alike] = own.sum() ** corpus_power / len(np.unique(emotions[own])) / alike.sum()
    return chances / chances.sum()


def _check_clips(clips: Sequence[TrainingExample], embedding_dim: int) -> None:
    check_emotions(clips)
    if not all(clip.speaker for clip in clips):
        raise TrainingError("A head with references needs the speaker of every training clip.")
    if len(clips) < embedding_dim:  # the principal components of fewer clips are fewer
        raise TrainingError(
            f"Too few training clips: {len(clips)}, without the corpus or the speakers that are left out in turn. At "
            f"least {embedding_dim} are needed: add recordings, or make the embedding smaller with --set "
            "model.embedding_dim=N."
        )
