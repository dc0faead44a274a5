"""The part of scripts.train that fits the head of a frozen encoder and calibrates it on left-out corpora."""

import shlex
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch

from scripts.common.noises import load_noise
from scripts.common.tables import clip_bar
from ser_core import paths
from ser_core.audio import trim_silence
from ser_core.data import AudioStore, audio_cache_folder, corpora_root, protocol_split, read_noises
from ser_core.evaluation import fit_cross_corpus_calibration, fit_cross_corpus_novelty
from ser_core.models import (
    CheckpointError,
    Whisper,
    checkpoint_folder,
    reference_weight,
    save_model,
    training_record,
)
from ser_core.training import (
    CURVE_FILE,
    EncoderFit,
    FrameCache,
    HeadConfig,
    HeadCurve,
    StatisticsCache,
    TrainingData,
    TrainingRun,
    check_corpora,
    check_tuning,
    curve_text,
    fit_emotion_offsets,
    frames_layer,
    pool_clips,
    predict_left_out_corpora,
    predict_unseen_speakers,
    read_training_data,
    write_run,
)


def train_head(
    model: Whisper,
    run: TrainingRun,
    data: TrainingData,
    config: HeadConfig,
    training: dict,
) -> None:
    """Fits the head, tunes the layers that the model's config names, calibrates it and saves the checkpoint.

    Args:
        run: resumed from the states of an interrupted tuning.
        training: provenance for config.json.
    """
    run.check_new()
    content = {"train": asdict(config), "model": model.config.to_dict(), "start": run.start}
    run.check_config(content)
    check_corpora(data.train)
    check_tuning(model, config)
    statistics = read_statistics(model, data, config)
    frames = read_frames(model, data) if model.config.tuned_layers else []
    fit = EncoderFit(model, statistics, data.train, config, frames, run.folder / "tuning", run.resume, show_step)
    left_out, unseen = (
        predict(fit, lambda group: print(f"without {group}", flush=True))
        for predict in (predict_left_out_corpora, predict_unseen_speakers)
    )
    curve = HeadCurve(model, dev_statistics(model, data), data.dev)
    own = fit(np.arange(len(data.train)), "all", curve)
    calibration = fit_cross_corpus_calibration(left_out, unseen)
    novelty = fit_cross_corpus_novelty(model, own, data.train, left_out)
    offsets = fit_emotion_offsets(project(model, own), data.train, model.config.labels)
    save_model(model, run.folder / "checkpoint", "whisper", calibration, training, novelty, offsets)
    if not model.config.tuned_layers:  # else the figures are of the model before its tuning
        write_run(run.folder, content | {"command": run.command}, curve.records)
        paths.write_text(run.folder / "checkpoint" / CURVE_FILE, curve_text(curve.records))
    path = str(run.folder / "checkpoint")
    print(f"{path} is ready. Evaluate it: python -m scripts.evaluate {shlex.quote(path)}")


def show_step(step: int, n_steps: int, loss: float) -> None:
    """Prints every fiftieth step of a tuning."""
    if step % 50 == 0 or step == n_steps:
        print(f"step {step} of {n_steps}, loss {loss:.3f}", flush=True)


def read_statistics(model: Whisper, data: TrainingData, config: HeadConfig) -> list[np.ndarray]:
    """The frozen encoder's statistics of the training clips in each pass; they stay in the cache."""
    noises = [trimmed(noise.path) for noise in read_noises(corpora_root(), "train")] if any(config.passes) else []
    cache = StatisticsCache(audio_cache_folder() / model.config.encoder, model, data.store, noises)
    ids, found = [clip.id for clip in data.train], []
    for number in config.passes:
        with clip_bar(f"encoder, pass {number}", len(ids)) as show:
            found.append(cache.read(number, ids, show))
    return found


def dev_statistics(model: Whisper, data: TrainingData) -> np.ndarray:
    """The frozen encoder's statistics of the unmodified development clips, shape = (n_clips, n_statistics)."""
    return read_statistics(model, replace(data, train=data.dev), HeadConfig())[0]


def read_frames(model: Whisper, data: TrainingData) -> list[np.ndarray]:
    """Frames of the training clips below the tuned layers; they stay in the cache."""
    cache = FrameCache(audio_cache_folder() / model.config.encoder, model, data.store, frames_layer(model))
    ids = [clip.id for clip in data.train]
    with clip_bar("encoder, frames", len(ids)) as show:
        return cache.read(ids, show)


def own_embeddings(model: Whisper, data: TrainingData) -> np.ndarray:
    """Embeddings of the training clips by the model's own encoder, tuned or not, shape = (n_clips, embedding_dim)."""
    if model.config.tuned_layers:
        return project(model, pool_clips(model, read_frames(model, data)))
    return project(model, read_statistics(model, data, HeadConfig())[0])


@torch.inference_mode()
def project(model: Whisper, statistics: np.ndarray) -> np.ndarray:
    """Embeddings of clips from their statistics, shape = (n_clips, embedding_dim)."""
    return model.projection(torch.from_numpy(statistics)).numpy()


def training_data(name: str) -> TrainingData:
    """The data that a checkpoint was trained on.

    Args:
        name: of the checkpoint, or its folder.

    Raises:
        CheckpointError: no record of its training.
        ValueError: other training clips than those of the checkpoint.
    """
    training = training_record(checkpoint_folder(name))
    if not {"protocol", "fold", "n_clips"} <= training.keys():
        raise CheckpointError(f"{name} has no record of its training clips: train it again with scripts.train.")
    split = protocol_split(training["protocol"], training["fold"])
    data = read_training_data(training["protocol"], split, AudioStore())
    if len(data.train) != training["n_clips"]:
        raise ValueError(
            f"{name} was trained on {training['n_clips']} clips; of its protocol, {len(data.train)} training clips are "
            "decoded here. If some are missing: set SER_CORPORA, and run python -m scripts.prepare_corpora"
        )
    return data


def trimmed(path: Path) -> np.ndarray:
    """A noise without the silence at its ends, shape = (n_samples,)."""
    waveform = load_noise(path)
    first, last = trim_silence(waveform)
    return waveform[first:last]


@torch.inference_mode()
def soft_labels(model: Whisper, data: TrainingData) -> np.ndarray:
    """Probabilities of the training clips, relative to the mean of all clips of each speaker, the clip included.

    Returns:
        shape = (n_clips, n_classes), float32.
    """
    embeddings = torch.from_numpy(own_embeddings(model, data))
    speakers = np.array([clip.speaker for clip in data.train])
    logits = torch.empty(len(speakers), len(model.config.labels))
    for speaker in np.unique(speakers):
        own = torch.from_numpy(speakers == speaker)
        logits[own] = model.classify(embeddings[own], embeddings[own].mean(0), reference_weight(int(own.sum())))
    return logits.softmax(1).numpy()
