"""Training batches: clips are cropped, augmented, turned into features and mixed, in this order."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from ser_core.data import AudioStore, TrimmedClips
from ser_core.models import SERModel
from ser_core.training.augment.draw import Augment
from ser_core.training.augment.spectra import mixup
from ser_core.training.auxiliary import AuxiliaryTargets, AuxiliaryTask, auxiliary_targets
from ser_core.training.config import TrainConfig, TrainingError, TrainingExample

PADDING_MULTIPLE_SAMPLES = 4096  # batches come in few widths, so kernels are compiled once for each


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Clips of the training and the development part, their audio, and their auxiliary targets."""

    train: Sequence[TrainingExample]
    dev: Sequence[TrainingExample]  # monitored only: no choice depends on it
    store: AudioStore
    auxiliary_tasks: Sequence[AuxiliaryTask] = ()
    soft_labels: np.ndarray | None = None  # probabilities by a teacher with another front end, (n_train, n_classes)


@dataclass
class TrainingBatch:
    """Augmented features (B, C, n_bands, n_frames) or waveforms (B, n_samples) with lengths, targets and loss weights.

    True lengths n_frames, shape = (B,); targets, shape = (B, n_classes); weights of the clips, shape = (B,).
    """

    features: Tensor
    n_frames: Tensor
    targets: Tensor
    weights: Tensor
    auxiliary: list[tuple[AuxiliaryTask, AuxiliaryTargets]] = field(default_factory=list)


class BatchSource:
    """Batches of a training run, epoch by epoch.

    Each epoch draws from generators seeded by (seed, epoch), so that a resumed run equals an uninterrupted one.

    Args:
        model: provides front end, labels and device.
        teachers: models with the same front end and labels, on the same device; none if the data has soft labels.

    Raises:
        TrainingError: no training clip, a clip without audio or with another label, or auxiliary tasks or teachers
            that do not match the config.
    """

    def __init__(self, model: SERModel, config: TrainConfig, data: TrainingData, teachers: Sequence[SERModel] = ()):
        _check_data(data, config, model.config.labels)
        _check_teachers(model, teachers, data.soft_labels, config)
        self.model, self.config, self.teachers = model, config, teachers
        self.train, self.auxiliary_tasks = data.train, data.auxiliary_tasks
        self.n_clips = sum(_draws_per_corpus(data.train, config).values())  # per epoch
        self.n_steps = config.epochs * math.ceil(self.n_clips / config.batch_size)  # of the run
        self._clips = TrimmedClips(data.store, [clip.id for clip in data.train], model.device)
        self._window = round((config.crop_s or model.config.window_s) * model.sample_rate)
        self._soft_labels = None if data.soft_labels is None else torch.from_numpy(data.soft_labels).to(model.device)
        self._class_weights = class_weights(data.train, model.config.labels, config).to(model.device)

    def epoch(self, epoch: int) -> Iterator[TrainingBatch]:
        """One epoch in random order, counted from 0; the model is set to training mode."""
        seed = self.config.seed * 10_000 + epoch
        rng = np.random.default_rng(seed)
        torch.manual_seed(seed)  # dropout
        generator = torch.Generator(self.model.device).manual_seed(seed)
        augment = Augment(self.config.augment, self.model.sample_rate, generator)
        self.model.train()
        # Random batches: grouping clips by length would save padding, but length identifies the corpus, so that batch
        # norm saw another mixture in each batch and its running statistics fitted none. Measured after two epochs:
        # 21 % of the training clips correct with the running statistics, 35 % with those of the batch.
        drawn = sample_epoch(self.train, self.config, rng)
        for chosen in np.array_split(drawn, math.ceil(len(drawn) / self.config.batch_size)):
            yield self._batch(chosen, augment, rng)

    def _batch(self, chosen: np.ndarray, augment: Augment, rng: np.random.Generator) -> TrainingBatch:
        """Batch of the chosen training clips: crop, augment, front end, mix."""
        waveform, n_samples = self._clips.cut(chosen, self._window, rng)
        features, n_frames = self._features(waveform, n_samples, augment)
        mix = Mixup.draw(len(chosen), self.config.mixup_alpha, rng, features.device)
        features, targets, n_frames = mix.apply(features, self._targets(chosen), n_frames)
        ids = [self.train[i].id for i in chosen]
        return TrainingBatch(
            features=features,
            n_frames=n_frames,
            targets=self._soften(targets, features, n_frames),
            weights=(targets * self._class_weights).sum(1),
            auxiliary=[
                (task, auxiliary_targets(task, ids, features.device).mixed(mix.order, mix.share))
                for task in self.auxiliary_tasks
            ],
        )

    @torch.no_grad()
    def _features(self, waveform: Tensor, n_samples: Tensor, augment: Augment) -> tuple[Tensor, Tensor]:
        """Augmented features (or waveforms, of a model without a front end) and their true lengths, shape = (B,)."""
        waveform, n_samples = augment.waveform(waveform, n_samples)
        waveform = F.pad(waveform, (0, -waveform.shape[1] % PADDING_MULTIPLE_SAMPLES))
        n_frames = self.model.n_frames(n_samples)
        features = self.model.frontend(waveform, n_samples)
        if features.ndim == 2:
            return features, n_frames
        frontend = self.model.config.frontend
        augmented = augment.features(features, n_frames, spectrum=not frontend.n_mfcc, n_deltas=frontend.deltas)
        return augmented, n_frames

    def _targets(self, chosen: np.ndarray) -> Tensor:
        """Targets from the labels and the soft labels, shape = (B, n_classes)."""
        labels = self.model.config.labels
        y_true = torch.tensor([labels.index(self.train[i].emotion) for i in chosen], device=self.model.device)
        one_hot = F.one_hot(y_true, len(labels)).float()
        if self._soft_labels is None:
            return one_hot
        return one_hot.lerp(self._soft_labels[torch.from_numpy(chosen).to(one_hot.device)], self.config.distillation)

    def _soften(self, targets: Tensor, features: Tensor, n_frames: Tensor) -> Tensor:
        """Targets after label smoothing and distillation, shape = (B, n_classes)."""
        smoothing = self.config.label_smoothing
        smooth = targets * (1 - smoothing) + smoothing / targets.shape[1]
        if not self.teachers:
            return smooth
        soft_labels = _teacher_probabilities(self.teachers, features, n_frames, self.config.bf16)
        return smooth.lerp(soft_labels, self.config.distillation)


@dataclass(frozen=True, eq=False)
class Mixup:
    """Mixup of one batch: the weight of each clip itself, and its partner; each of shape (B,)."""

    share: Tensor
    order: Tensor

    @classmethod
    def draw(cls, n: int, alpha: float, rng: np.random.Generator, device: torch.device) -> "Mixup":
        """Shares from Beta(alpha, alpha) and a random permutation of n clips."""
        share = torch.from_numpy(rng.beta(alpha, alpha, n)).float().to(device)
        return cls(share, torch.from_numpy(rng.permutation(n)).to(device))

    @torch.no_grad()
    def apply(self, features: Tensor, targets: Tensor, n_frames: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mixed features and targets; a mixture is as long as the longer of its two clips."""
        features, targets = mixup(features, targets, self.order, self.share)
        return features, targets, torch.maximum(n_frames, n_frames[self.order])


def sample_epoch(train: Sequence[TrainingExample], config: TrainConfig, rng: np.random.Generator) -> np.ndarray:
    """Indices of the clips of one epoch in random order, each clip as often as its corpus is drawn.

    The fraction of a number of draws is drawn without repetition: 2.5 is every clip twice and half of them once more.
    """
    corpora, drawn = np.array([clip.corpus for clip in train]), []
    for corpus, n_wanted in _draws_per_corpus(train, config).items():
        (members,) = np.nonzero(corpora == corpus)
        drawn += [members] * (n_wanted // len(members))
        drawn.append(rng.permutation(members)[: n_wanted % len(members)])
    return rng.permutation(np.concatenate(drawn))


def class_weights(train: Sequence[TrainingExample], labels: Sequence[str], config: TrainConfig) -> Tensor:
    """Loss weight of each class, with mean 1 over the labels of an epoch, shape = (n_classes,)."""
    counts: defaultdict[str, float] = defaultdict(float)
    for clip in train:
        counts[clip.emotion] += config.draws.get(clip.corpus, 1)
    n = torch.tensor([counts[label] for label in labels], dtype=torch.float32)
    weights = torch.where(n > 0, n**-config.class_balance, 0)
    return weights * n.sum() / (weights * n).sum()


def _draws_per_corpus(train: Sequence[TrainingExample], config: TrainConfig) -> dict[str, int]:
    """Corpus -> number of clips that an epoch draws from it."""
    counts = Counter(clip.corpus for clip in train)
    return {corpus: max(1, round(n * config.draws.get(corpus, 1))) for corpus, n in counts.items()}


@torch.no_grad()
def _teacher_probabilities(teachers: Sequence[SERModel], features: Tensor, n_frames: Tensor, bf16: bool) -> Tensor:
    """Mean of the teachers' probabilities for the student's own input, shape = (B, n_classes).

    They predict each augmented and mixed clip again, as in Beyer et al. 2022, "Knowledge distillation: A good teacher
    is patient and consistent": of the unmodified clips they have memorised the labels.
    """
    with torch.autocast(features.device.type, torch.bfloat16, enabled=bf16):
        logits = [teacher.head(teacher.encode(features, n_frames)) for teacher in teachers]
    return torch.stack(logits).float().softmax(2).mean(0)


def _check_data(data: TrainingData, config: TrainConfig, labels: Sequence[str]) -> None:
    if not data.train:
        raise TrainingError("No clip to train on: the protocol's training part and the cache do not overlap.")
    for clip in (*data.train, *data.dev):
        if clip.emotion not in labels:
            raise TrainingError(f"{clip.id} has the unknown emotion {clip.emotion!r}. There are: {', '.join(labels)}.")
        if clip.id not in data.store:
            raise TrainingError(f"{clip.id} is not among the decoded recordings: decode it, or leave it out.")
    if {task.name for task in data.auxiliary_tasks} != config.side_tasks.keys():
        raise TrainingError(f"The recipe names the auxiliary tasks {sorted(config.side_tasks)}: give their targets.")


def _check_teachers(
    model: SERModel, teachers: Sequence[SERModel], soft_labels: np.ndarray | None, config: TrainConfig
) -> None:
    if (bool(teachers) or soft_labels is not None) != bool(config.distillation):
        raise TrainingError("Teachers and a recipe with distillation above zero need each other: give both.")
    for teacher in teachers:
        if (teacher.config.frontend, teacher.config.labels) != (model.config.frontend, model.config.labels):
            raise TrainingError(f"{teacher.name} has another front end or other labels than its student.")
