"""One training loop for every neural model: the same recipe on a GPU and on two CPU cores."""

import copy
import hashlib
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ser_core import paths
from ser_core.data import AudioStore, TrimmedClips
from ser_core.inference import run_clips
from ser_core.metrics import confusion_matrix, uar
from ser_core.models import SERModel
from ser_core.training.augment import Augment, AugmentConfig, mixup
from ser_core.training.auxiliary import (
    AuxiliaryTargets,
    AuxiliaryTask,
    auxiliary_heads,
    auxiliary_loss,
    auxiliary_targets,
)
from ser_core.training.muon import Muon
from ser_core.training.tensorboard import write_tensorboard_epoch

PADDING_MULTIPLE_SAMPLES = 4096  # batches come in a few widths only: kernels are compiled once for each


class TrainingError(ValueError):
    """A run that cannot be started or continued; the message says why and what to do."""


@dataclass(frozen=True)
class TrainConfig:
    """The recipe. Everything that changes a result is here."""

    epochs: int = 26
    batch_size: int = 32
    learning_rate: float = 1e-3  # peak
    attention_rate: float = 1.0  # of the rate, for attention layers: no batch norm evens out what a high one does there
    weight_decay: float = 0.03
    orthogonal: bool = False  # Muon's steps for the weights of hidden layers
    warmup_share: float = 0.06  # of all steps; then a cosine to zero
    clip_norm: float = 2.0
    label_smoothing: float = 0.1
    mixup_alpha: float = 0.2
    class_balance: float = 0.5  # loss weight = class frequency ** -class_balance
    crop_s: float | None = None  # longest stretch of a clip in a batch, drawn anew each time; None: the model's window
    draws: dict[str, float] = field(default_factory=dict)  # of each clip of a corpus in an epoch, on average; else 1
    side_tasks: dict[str, float] = field(default_factory=dict)  # what else is asked -> its weight in the loss
    distillation: float = 0.0  # share of what a clip is to be answered that its teachers say, not its label
    ema_decay: float = 0.999
    bf16: bool = True
    seed: int = 0
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    @classmethod
    def from_dict(cls, values: dict) -> "TrainConfig":
        """Inverse of dataclasses.asdict."""
        return cls(**values | {"augment": AugmentConfig(**values["augment"])})


@dataclass(frozen=True)
class TrainingExample:
    """A training example: where its sound is and what it is."""

    id: str
    corpus: str
    emotion: str


@dataclass
class TrainingState:
    """What a run needs to go on: weights, their running average, and the optimiser's moments."""

    model: SERModel
    average: SERModel
    optimiser: torch.optim.AdamW
    clips: str = ""  # fingerprint of what it learns from
    epoch: int = 0
    step: int = 0
    sides: nn.ModuleDict = field(default_factory=nn.ModuleDict)  # one layer a side task, on the embedding


def fit(
    model: SERModel,
    train: Sequence[TrainingExample],
    dev: Sequence[TrainingExample],
    store: AudioStore,
    config: TrainConfig,
    folder: Path,
    resume: bool = False,
    on_step: Callable[[int, int, float], None] = lambda step, n_steps, loss: None,
    start: str = "",
    command: str = "",
    auxiliary_tasks: Sequence[AuxiliaryTask] = (),
    teachers: Sequence[SERModel] = (),
    on_epoch: Callable[[int, SERModel], None] = lambda epoch, average: None,
) -> SERModel:
    """Trains a model; after each epoch the whole state is on disk.

    Each epoch draws from generators seeded by (seed, epoch), so a resumed run gives what an uninterrupted one gives.

    Args:
        model: random weights; on the device where it is to be trained.
        train, dev: clips of the store; dev is only watched, nothing is chosen by it.
        folder: gets config.json, metrics.jsonl (one line an epoch), state.safetensors, and TensorBoard's own file
            where that is installed.
        resume: go on from the folder's state, if there is one.
        on_step: called with (step, all steps, loss).
        start: name of the weights that the model brought along; a run is resumed with the same ones only.
        command: what makes this run again; kept for those who look at it.
        side_tasks: those that the config gives a weight.
        teachers: models of the same front end and labels, on the same device, whose answers the config gives a share.
        on_epoch: called after each epoch with its number, from 1, and the model with the running average.

    Returns:
        The model with the running average of the weights, in eval mode.

    Raises:
        TrainingError: nothing to train on, a resume under another config or with other clips, or a full disk.
    """
    if not train:
        raise TrainingError("No clip to train on: the protocol's training part and the cache do not overlap.")
    if {task.name for task in auxiliary_tasks} != config.side_tasks.keys():
        raise TrainingError(f"The recipe asks for the side tasks {sorted(config.side_tasks)}: give their values.")
    _check_teachers(model, teachers, config)
    _prepare_folder(folder, model, config, start, command, resume)
    sides = auxiliary_heads(auxiliary_tasks, model.config.embedding_dim).to(model.device)
    optimiser = make_optimiser(model, config, sides)
    state = TrainingState(model, copy.deepcopy(model).eval(), optimiser, _fingerprint(train), sides=sides)
    if resume:
        _load_state(state, folder)
        _drop_later_lines(folder / "metrics.jsonl", state.epoch)
    n_drawn = sum(_draws_per_corpus(train, config).values())
    n_steps = config.epochs * math.ceil(n_drawn / config.batch_size)
    weights = _class_weights(train, model.config.labels, config).to(model.device)
    sounds = TrimmedClips(store, [clip.id for clip in train], model.device)
    for epoch in range(state.epoch, config.epochs):
        started = time.perf_counter()
        losses = [
            training_step(state, batch, config, n_steps, on_step)
            for batch in _training_batches(train, weights, sounds, model, config, epoch, auxiliary_tasks, teachers)
        ]
        seconds = time.perf_counter() - started
        state.epoch = epoch + 1
        record = {
            "epoch": state.epoch,
            "loss": float(np.mean(losses)),
            "learning_rate": _learning_rate(state.step, n_steps, config),
            "seconds": round(seconds, 2),
            "clips_per_s": round(n_drawn / seconds, 1),
        }
        confusion = dev_confusion_matrices(state.average, dev, store, config.bf16)
        record |= {f"dev_uar_{corpus}": float(uar(matrix)) for corpus, matrix in confusion.items()}
        record["dev_confusion"] = {corpus: matrix.tolist() for corpus, matrix in confusion.items()}
        _save_epoch(state, record, folder)
        on_epoch(state.epoch, state.average)
    return state.average.eval()


def dev_confusion_matrices(
    model: SERModel, clips: Sequence[TrainingExample], store: AudioStore, bf16: bool
) -> dict[str, np.ndarray]:
    """Confusion matrix of each corpus among the clips, shape = (n_classes, n_classes)."""
    if not clips:
        return {}
    labels = model.config.labels
    y_true = np.array([labels.index(clip.emotion) for clip in clips])
    with torch.autocast(model.device.type, torch.bfloat16, enabled=bf16):
        y_pred = run_clips(model, [store.trimmed(clip.id) for clip in clips]).logits.argmax(1)
    corpora = np.array([clip.corpus for clip in clips])
    return {
        str(corpus): confusion_matrix(y_true[corpora == corpus], y_pred[corpora == corpus], len(labels))
        for corpus in np.unique(corpora)
    }


@dataclass
class TrainingBatch:
    """Augmented features (B, C, n_bands, n_frames) or waveforms (B, n_samples), and what belongs to them.

    True lengths n_frames, shape = (B,); targets, shape = (B, n_classes); weights of the clips, shape = (B,).
    """

    features: Tensor
    n_frames: Tensor
    targets: Tensor
    weights: Tensor
    sides: list[tuple[AuxiliaryTask, AuxiliaryTargets]] = field(default_factory=list)


def _training_batches(
    train: Sequence[TrainingExample],
    class_weights: Tensor,
    sounds: TrimmedClips,
    model: SERModel,
    config: TrainConfig,
    epoch: int,
    auxiliary_tasks: Sequence[AuxiliaryTask] = (),
    teachers: Sequence[SERModel] = (),
) -> Iterator[TrainingBatch]:
    """One epoch: shuffled, cropped, augmented."""
    device, labels = model.device, model.config.labels
    seed = config.seed * 10_000 + epoch
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)  # dropout
    augment = Augment(config.augment, model.sample_rate, torch.Generator(device).manual_seed(seed))
    window = round((config.crop_s or model.config.window_s) * model.sample_rate)
    model.train()
    # Random batches: grouping clips by length would save padding, but length tells the corpora apart, so batch norm saw
    # another mixture in each batch and its running statistics fitted none. Measured after two epochs: 21 % of training
    # clips right with the running statistics, 35 % with those of the batch.
    drawn = sample_epoch(train, config, rng)
    for chosen in np.array_split(drawn, math.ceil(len(drawn) / config.batch_size)):
        waveform, n_samples = sounds.cut(chosen, window, rng)
        y_true = torch.tensor([labels.index(train[i].emotion) for i in chosen], device=device)
        with torch.no_grad():
            waveform, n_samples = augment.waveform(waveform, n_samples)
            waveform = F.pad(waveform, (0, -waveform.shape[1] % PADDING_MULTIPLE_SAMPLES))
            n_frames = model.n_frames(n_samples)
            features = _augment_features(model.frontend(waveform, n_samples), n_frames, model, augment)
            targets = F.one_hot(y_true, len(labels)).float()
            share, order = _draw_mixup(len(features), config.mixup_alpha, rng, device)
            features, targets, n_frames = _apply_mixup(features, targets, n_frames, share, order)
        ids = [train[i].id for i in chosen]
        sides = [(task, auxiliary_targets(task, ids, device).mixed(order, share)) for task in auxiliary_tasks]
        smooth = config.label_smoothing
        wanted = targets * (1 - smooth) + smooth / len(labels)
        if teachers:
            wanted = wanted.lerp(_teacher_probabilities(teachers, features, n_frames, config.bf16), config.distillation)
        yield TrainingBatch(features, n_frames, wanted, (targets * class_weights).sum(1), sides)


@torch.no_grad()
def _teacher_probabilities(teachers: Sequence[SERModel], features: Tensor, n_frames: Tensor, bf16: bool) -> Tensor:
    """Mean of the teachers' probabilities for what the pupil hears itself, shape = (B, n_classes).

    They answer each changed and mixed clip anew, as in Beyer et al. 2022, "Knowledge distillation: A good teacher is
    patient and consistent": of the clips as they were recorded they know the labels by heart.
    """
    with torch.autocast(features.device.type, torch.bfloat16, enabled=bf16):
        logits = [teacher.head(teacher.encode(features, n_frames)) for teacher in teachers]
    return torch.stack(logits).float().softmax(2).mean(0)


def _check_teachers(model: SERModel, teachers: Sequence[SERModel], config: TrainConfig) -> None:
    if bool(teachers) != bool(config.distillation):
        raise TrainingError("Teachers and a recipe whose distillation is above zero need each other: give both.")
    for teacher in teachers:
        if (teacher.config.frontend, teacher.config.labels) != (model.config.frontend, model.config.labels):
            raise TrainingError(f"{teacher.name} hears other features than the model that is to learn from it.")


def sample_epoch(train: Sequence[TrainingExample], config: TrainConfig, rng: np.random.Generator) -> np.ndarray:
    """The clips of one epoch in random order, as indices: each as often as its corpus is drawn.

    What is left of a number that is not whole goes to clips drawn without repetition: 2.5 is twice every clip and half
    of them once more.
    """
    corpora, drawn = np.array([clip.corpus for clip in train]), []
    for corpus, n_wanted in _draws_per_corpus(train, config).items():
        (members,) = np.nonzero(corpora == corpus)
        drawn += [members] * (n_wanted // len(members))
        drawn.append(rng.permutation(members)[: n_wanted % len(members)])
    return rng.permutation(np.concatenate(drawn))


def _draws_per_corpus(train: Sequence[TrainingExample], config: TrainConfig) -> dict[str, int]:
    """Corpus -> how many of its clips an epoch meets."""
    counts = Counter(clip.corpus for clip in train)
    return {corpus: max(1, round(n * config.draws.get(corpus, 1))) for corpus, n in counts.items()}


def _augment_features(features: Tensor, n_frames: Tensor, model: SERModel, augment: Augment) -> Tensor:
    """What augmentation does to features; a model whose front end is the waveform has none."""
    if features.ndim == 2:
        return features
    frontend = model.config.frontend
    return augment.features(features, n_frames, spectrum=not frontend.n_mfcc, n_deltas=frontend.deltas)


def _apply_mixup(features: Tensor, targets: Tensor, n_frames: Tensor, share: Tensor, order: Tensor):
    features, targets = mixup(features, targets, order, share)
    return features, targets, torch.maximum(n_frames, n_frames[order])


def _draw_mixup(n: int, alpha: float, rng: np.random.Generator, device: torch.device) -> tuple[Tensor, Tensor]:
    """How much is kept of each of n clips, and which one the rest comes from; each of shape (n,)."""
    share = torch.from_numpy(rng.beta(alpha, alpha, n)).float().to(device)
    return share, torch.from_numpy(rng.permutation(n)).to(device)


def training_step(
    state: TrainingState,
    batch: TrainingBatch,
    config: TrainConfig,
    n_steps: int,
    on_step: Callable[[int, int, float], None] = lambda step, n_steps, loss: None,
) -> float:
    """Forward, backward, optimiser and running average of one batch; returns the loss."""
    for group in state.optimiser.param_groups:
        group["lr"] = group["share"] * _learning_rate(state.step, n_steps, config)
    with torch.autocast(batch.features.device.type, torch.bfloat16, enabled=config.bf16):
        embedding = state.model.encode(batch.features, batch.n_frames)
        logits = state.model.head(embedding)
        answers = [state.sides[task.name](embedding) for task, _ in batch.sides]
    loss = (F.cross_entropy(logits.float(), batch.targets, reduction="none") * batch.weights).mean()
    for (task, targets), output in zip(batch.sides, answers, strict=True):
        loss = loss + config.side_tasks[task.name] * auxiliary_loss(task, output, targets)
    loss.backward()
    nn.utils.clip_grad_norm_(state.model.parameters(), config.clip_norm)
    state.optimiser.step()
    state.optimiser.zero_grad()
    state.step += 1
    _update_average(state, config.ema_decay)
    value = loss.item()
    on_step(state.step, n_steps, value)
    return value


@torch.no_grad()
def _update_average(state: TrainingState, decay: float) -> None:
    decay = min(decay, (1 + state.step) / (10 + state.step))  # the first weights are noise: forget them quickly
    pairs = list(zip(state.average.state_dict().values(), state.model.state_dict().values(), strict=True))
    kept, new = zip(*(pair for pair in pairs if pair[0].is_floating_point()), strict=True)
    get_ema_multi_avg_fn(decay)(kept, new, None)
    for counted, now in (pair for pair in pairs if not pair[0].is_floating_point()):
        counted.copy_(now)


def _learning_rate(step: int, n_steps: int, config: TrainConfig) -> float:
    warmup = max(1, round(config.warmup_share * n_steps))
    if step < warmup:
        return config.learning_rate * (step + 1) / warmup
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, n_steps - warmup)))


def _class_weights(train: Sequence[TrainingExample], labels: Sequence[str], config: TrainConfig) -> Tensor:
    """Loss weight of each class, mean 1 over the labels that an epoch meets, shape = (n_classes,)."""
    counts = Counter()
    for clip in train:
        counts[clip.emotion] += config.draws.get(clip.corpus, 1)
    n = torch.tensor([counts[label] for label in labels], dtype=torch.float32)
    weights = torch.where(n > 0, n**-config.class_balance, 0)
    return weights * n.sum() / (weights * n).sum()


def make_optimiser(model: SERModel, config: TrainConfig, auxiliary_heads: nn.Module | None = None) -> torch.optim.AdamW:
    """AdamW without decay on norms and biases, and at another rate for attention layers; Muon where the recipe says so.

    Fused, which takes a fifth of the time of the loop over tensors. Each group's "share" is what it takes of the rate.
    """
    attention = {p for m in model.modules() if isinstance(m, nn.MultiheadAttention) for p in m.parameters()}
    last = {*model.head.parameters(), *(auxiliary_heads.parameters() if auxiliary_heads else ())}
    groups: dict[tuple, list[nn.Parameter]] = {}
    for p in (*model.parameters(), *(auxiliary_heads.parameters() if auxiliary_heads else ())):
        matrix = p.ndim > 1
        orthogonal = config.orthogonal and matrix and p not in last
        groups.setdefault((p in attention, matrix, orthogonal), []).append(p)
    return (Muon if config.orthogonal else torch.optim.AdamW)(
        [
            {
                "params": chosen,
                "share": config.attention_rate if slow else 1.0,
                "weight_decay": config.weight_decay if matrix else 0.0,
                "orthogonal": orthogonal,
            }
            for (slow, matrix, orthogonal), chosen in groups.items()
        ],
        lr=config.learning_rate,
        fused=True,
    )


# --- what a run keeps on disk ----------------------------------------------------------------------------------------


def _prepare_folder(folder: Path, model: SERModel, config: TrainConfig, start: str, command: str, resume: bool) -> None:
    """Writes what the run is to config.json; a run that is there must be the same, or it is not gone on with."""
    path = folder / "config.json"
    what = {"train": asdict(config), "model": model.config.to_dict(), "start": start}
    what = json.loads(json.dumps(what))  # lists for tuples, as a file gives them back
    if path.is_file() and not resume:
        raise TrainingError(f"{folder.name} exists already. Continue it with --resume, or choose another --run.")
    if path.is_file() and {k: v for k, v in json.loads(path.read_text()).items() if k != "command"} != what:
        raise TrainingError(
            f"{folder.name} was started with another config or other start weights. "
            "Give the same ones, or start a new run."
        )
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(what | {"command": command}, indent=1))


def _fingerprint(clips: Sequence[TrainingExample]) -> str:
    return hashlib.sha256(repr([(clip.id, clip.emotion) for clip in clips]).encode()).hexdigest()


def _state_tensors(state: TrainingState) -> dict[str, Tensor]:
    tensors = {f"model.{name}": value for name, value in state.model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in state.average.state_dict().items()}
    tensors |= {f"sides.{name}": value for name, value in state.sides.state_dict().items()}
    for index, moments in state.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{index}.{name}": value for name, value in moments.items()}
    return {name: value.contiguous().clone() for name, value in tensors.items()}


def _save_epoch(state: TrainingState, record: dict, folder: Path) -> None:
    """The log before the state: a line too many is dropped on resume, a missing one would be lost."""
    try:
        with (folder / "metrics.jsonl").open("a") as file:
            file.write(json.dumps(record) + "\n")
        write_tensorboard_epoch(folder, record)
        _save_state(state, folder)
    except (OSError, SafetensorError) as error:
        raise TrainingError(
            f"Epoch {state.epoch} of {folder.name} cannot be saved: {error}. What was there before is whole: "
            "make room and go on with --resume."
        ) from error


def _save_state(state: TrainingState, folder: Path) -> None:
    metadata = {"epoch": str(state.epoch), "step": str(state.step), "clips": state.clips}
    with paths.atomic_path(folder / "state.safetensors") as path:
        save_file(_state_tensors(state), path, metadata)


def _load_state(state: TrainingState, folder: Path) -> None:
    path = folder / "state.safetensors"
    if not path.is_file():
        return
    moments: dict[int, dict[str, Tensor]] = {}
    weights: dict[str, dict[str, Tensor]] = {"model": {}, "average": {}, "sides": {}}
    with safe_open(path, "pt", device=str(state.model.device)) as file:
        metadata = file.metadata()
        if metadata.get("clips", state.clips) != state.clips:
            raise TrainingError(
                f"{folder.name} was started with other recordings (another protocol, fold or cache). "
                "Give the same ones, or start a new run."
            )
        state.epoch, state.step = int(metadata["epoch"]), int(metadata["step"])
        for key in file.keys():  # noqa: SIM118 - not a dict
            kind, name = key.split(".", 1)
            if kind == "optimiser":
                index, name = name.split(".")
                moments.setdefault(int(index), {})[name] = file.get_tensor(key)
            else:
                weights[kind][name] = file.get_tensor(key)
    state.model.load_state_dict(weights["model"])
    state.average.load_state_dict(weights["average"])
    state.sides.load_state_dict(weights["sides"])
    state.optimiser.load_state_dict(state.optimiser.state_dict() | {"state": moments})


def _drop_later_lines(path: Path, n_epochs: int) -> None:
    """An interruption between log and state must not leave an epoch twice."""
    lines = path.read_text().splitlines() if path.is_file() else []
    path.write_text("".join(f"{line}\n" for line in lines[:n_epochs]))
