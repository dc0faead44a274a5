"""The part of scripts.train that fits the head of a frozen encoder and calibrates it on left-out corpora."""

from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from ser_core.audio import load_audio, trim_silence
from ser_core.data import audio_cache_folder, corpora_root, read_noises
from ser_core.evaluation import fit_cross_corpus_calibration, fit_cross_corpus_novelty
from ser_core.models import Whisper, reference_weight, save_model
from ser_core.training import HeadConfig, StatisticsCache, TrainingData, fit_head, predict_left_out_corpora


def train_head(model: Whisper, folder: Path, data: TrainingData, config: HeadConfig, training: dict) -> None:
    """Fits the head, calibrates it and saves the checkpoint.

    Args:
        training: provenance for config.json.
    """
    statistics = read_statistics(model, data, config)
    left_out = predict_left_out_corpora(
        model, statistics, data.train, config, lambda corpus: print(f"without {corpus}", flush=True)
    )
    fit_head(model, statistics, data.train, config)
    calibration = fit_cross_corpus_calibration(left_out)
    novelty = fit_cross_corpus_novelty(model, statistics[0], data.train, left_out)
    save_model(model, folder, "whisper", calibration, training, novelty)
    print(f"{folder} is ready. Evaluate it: python -m scripts.evaluate {folder}")


def read_statistics(model: Whisper, data: TrainingData, config: HeadConfig) -> list[np.ndarray]:
    """The encoder's statistics of the training clips in each pass; they stay in the cache."""
    noises = [trimmed(noise.path) for noise in read_noises(corpora_root(), "train")] if any(config.passes) else []
    cache = StatisticsCache(audio_cache_folder() / model.config.encoder, model, data.store, noises)
    ids, found = [clip.id for clip in data.train], []
    for number in config.passes:
        with tqdm(desc=f"encoder, pass {number}", total=len(ids), unit="clip") as bar:
            found.append(cache.read(number, ids, lambda n_done, bar=bar: bar.update(n_done - bar.n)))
    return found


def trimmed(path: Path) -> np.ndarray:
    """A noise without the silence at its ends, shape = (n_samples,)."""
    waveform = load_audio(path)
    first, last = trim_silence(waveform)
    return waveform[first:last]


@torch.inference_mode()
def soft_labels(model: Whisper, data: TrainingData) -> np.ndarray:
    """Probabilities of the training clips by a head that knows the other clips of each speaker.

    Returns:
        shape = (n_clips, n_classes), float32.
    """
    (statistics,) = read_statistics(model, data, HeadConfig())
    embeddings = model.projection(torch.from_numpy(statistics))
    speakers = np.array([clip.speaker for clip in data.train])
    logits = torch.empty(len(speakers), len(model.config.labels))
    for speaker in np.unique(speakers):
        own = torch.from_numpy(speakers == speaker)
        logits[own] = model.classify(embeddings[own], embeddings[own].mean(0), reference_weight(int(own.sum())))
    return logits.softmax(1).numpy()
