"""What a model has learned, as a space: embeddings of clips, who lies beside whom, and how far a map can be trusted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ser_core.features import FrontendConfig, LogMel
from ser_core.inference import (
    FARTHEST,
    MIN_SPEECH_S,
    Segments,
    analysed_stretch,
    clip_outputs,
    clip_starts,
    clip_windows,
    speech_between,
    window_embeddings,
)
from ser_core.models import SERModel
from ser_core.novelty import Novelty
from ser_core.quality import speech_segments

RAW = "raw-features"  # in place of a model's name
QUALITY_NEIGHBOURS = 15
QUALITY_POINTS = 2000  # at most: the measures take the square of it


def embed_utterances(
    model: SERModel, waveforms: Sequence[np.ndarray], progress: Callable[[float], None] = lambda share: None
) -> tuple[np.ndarray, np.ndarray]:
    """Embedding and logits of each clip: the means over its windows.

    Args:
        waveforms: trimmed, 16 kHz, each of shape (n_samples,).
        progress: called with the share that is done.

    Returns:
        (embeddings, logits), of shapes (n_clips, embedding_dim) and (n_clips, n_classes).
    """
    return clip_outputs(model, waveforms, progress)


def embed_recording(
    model: SERModel, waveform: np.ndarray, speech: Segments | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """A recording as it comes: where its windows begin, in seconds, and their embeddings.

    A pause says nothing of a voice: windows without speech are left out, unless there is no other.

    Args:
        waveform: 16 kHz, shape = (n_samples,).
        speech: speech_segments(waveform), where they are known already.

    Returns:
        (start_s, embeddings), of shapes (n_windows,) and (n_windows, embedding_dim).
    """
    speech = speech_segments(waveform) if speech is None else speech
    first, last = analysed_stretch(waveform, speech)
    start_s = (first + clip_starts(model, last - first)[0]) / model.sample_rate
    spoken = speech_between(speech, start_s, start_s + model.config.window_s) >= MIN_SPEECH_S
    kept = np.flatnonzero(spoken | ~spoken.any())
    windows = clip_windows(model, waveform[first:last])
    return start_s[kept], window_embeddings(model, [windows[i] for i in kept])


def ood_score(novelty: Novelty, windows: np.ndarray, speech_s: float) -> float:
    """How far out of what a model learned from a recording lies: percent of unseen speakers' clips that lie nearer.

    Without speech it is FARTHEST, wherever the embedding lies: a network was never told what noise is, and may well put
    music among voices. The distances of the windows are averaged, not their embeddings: the mean of many lies near the
    middle of everything. So were those of the clips it is compared with.

    Args:
        novelty: of the space.
        windows: embeddings of the recording, shape = (n_windows, embedding_dim).
        speech_s: seconds of speech in it.
    """
    if speech_s < MIN_SPEECH_S:
        return FARTHEST
    return novelty.percentile(float(novelty.distance(windows).mean()))


@torch.inference_mode()
def raw_features(waveforms: Sequence[np.ndarray]) -> np.ndarray:
    """The space before any learning: mean and standard deviation over time of each log-mel band, of normalised clips.

    Args:
        waveforms: trimmed, 16 kHz, each of shape (n_samples,).

    Returns:
        shape = (n_clips, 2 * n_mels).
    """
    logmel = LogMel(FrontendConfig())
    features = [logmel(torch.from_numpy(np.array(waveform))[None])[0, 0] for waveform in waveforms]
    return np.stack([torch.cat([one.mean(1), one.std(1, correction=0)]).numpy() for one in features])


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest clips to each of some points, the nearest first; each of shape (n_points, k)."""

    index: np.ndarray
    distance: np.ndarray  # Euclidean, in the space of the embedding


def neighbours(embeddings: np.ndarray, points: np.ndarray, k: int) -> Neighbours:
    """In the embedding itself, not on a map.

    Args:
        embeddings: of the known clips, shape = (n, embedding_dim).
        points: shape = (n_points, embedding_dim).

    Raises:
        ValueError: more neighbours than clips.
    """
    from sklearn.neighbors import NearestNeighbors  # a second to import, and REST needs none of it

    if k > len(embeddings):
        raise ValueError(f"{k} neighbours of {len(embeddings)} clips: {len(embeddings)} at most.")
    distance, index = NearestNeighbors(n_neighbors=k).fit(embeddings).kneighbors(points)
    return Neighbours(index, distance)


@dataclass(frozen=True)
class MapQuality:
    """How far a map can be trusted, in [0, 1]; with QUALITY_NEIGHBOURS neighbours, over `n_points` drawn points."""

    n_points: int
    trustworthiness: float  # neighbours on the map are neighbours in the embedding (Venna & Kaski 2001)
    continuity: float  # neighbours in the embedding are neighbours on the map
    purity_embedding: float  # share of a point's neighbours with its label, in the embedding
    purity_map: float  # the same on the map


def map_quality(embeddings: np.ndarray, coordinates: np.ndarray, labels: Sequence[str], seed: int = 0) -> MapQuality:
    """Measures a map.

    Args:
        embeddings: shape = (n, embedding_dim).
        coordinates: shape = (n, n_dims).
        labels: of each point, for the purity.

    Raises:
        ValueError: too few points.
    """
    from sklearn.manifold import trustworthiness

    if len(embeddings) < 2 * QUALITY_NEIGHBOURS + 2:
        raise ValueError(
            f"{len(embeddings)} points are too few to measure a map: {2 * QUALITY_NEIGHBOURS + 2} at least."
        )
    chosen = np.random.default_rng(seed).permutation(len(embeddings))[:QUALITY_POINTS]
    high, low = embeddings[chosen], coordinates[chosen]
    return MapQuality(
        n_points=len(chosen),
        trustworthiness=float(trustworthiness(high, low, n_neighbors=QUALITY_NEIGHBOURS)),
        continuity=float(trustworthiness(low, high, n_neighbors=QUALITY_NEIGHBOURS)),
        purity_embedding=purity(embeddings, labels, chosen),
        purity_map=purity(coordinates, labels, chosen),
    )


def purity(points: np.ndarray, labels: Sequence[str], chosen: np.ndarray) -> float:
    """Share of the nearest neighbours, of all points, that have the label of the chosen one."""
    labels = np.asarray(labels)
    found = neighbours(points, points[chosen], QUALITY_NEIGHBOURS + 1).index
    others = [row[row != i][:QUALITY_NEIGHBOURS] for row, i in zip(found, chosen, strict=True)]
    return float(np.mean([labels[row] == labels[i] for row, i in zip(others, chosen, strict=True)]))
