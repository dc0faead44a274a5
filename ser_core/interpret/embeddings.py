"""The embedding space of a model: embeddings of windows, nearest neighbours, and the quality of a map."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ser_core.audio import FrontendConfig, LogMel, SpeechSegments, analysed_bounds, speech_overlap_s, speech_segments
from ser_core.inference import (
    MIN_SPEECH_TO_PREDICT_S,
    clip_window_starts,
    clip_windows,
    run_windows,
)
from ser_core.models import SERModel

RAW_FEATURES = "raw-features"  # in place of a model's name
MAP_QUALITY_NEIGHBOURS = 15
MAX_MAP_QUALITY_POINTS = 2000  # the cost of the measures is quadratic


def embed_windows(
    model: SERModel, waveform: np.ndarray, speech: SpeechSegments | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Start times and embeddings of a recording's windows, without the silence at its ends.

    Windows without speech are left out, unless all are.

    Args:
        waveform: 16 kHz, shape = (n_samples,).
        speech: speech_segments(waveform), if already computed.

    Returns:
        (start_s, embeddings), of shapes (n_windows,) and (n_windows, embedding_dim).
    """
    speech = speech_segments(waveform) if speech is None else speech
    first, last = analysed_bounds(waveform, speech)
    start_s = (first + clip_window_starts(model, last - first)[0]) / model.sample_rate
    spoken = speech_overlap_s(speech, start_s, start_s + model.config.window_s) >= MIN_SPEECH_TO_PREDICT_S
    kept = np.flatnonzero(spoken | ~spoken.any())
    windows = clip_windows(model, waveform[first:last])
    return start_s[kept], run_windows(model, [windows[i] for i in kept]).embeddings


@torch.inference_mode()
def raw_features(waveforms: Sequence[np.ndarray]) -> np.ndarray:
    """Features without any learning: mean and standard deviation over time of each log-mel band, of normalised clips.

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
    """The nearest clips of each point, the nearest first; each of shape (n_points, k)."""

    index: np.ndarray
    distance: np.ndarray  # Euclidean, in the embedding space


def nearest_neighbours(embeddings: np.ndarray, points: np.ndarray, k: int) -> Neighbours:
    """The nearest clips in the embedding space, not on a map.

    Args:
        embeddings: of the clips, shape = (n, embedding_dim).
        points: shape = (n_points, embedding_dim).

    Raises:
        ValueError: more neighbours than clips.
    """
    from sklearn.neighbors import NearestNeighbors  # a second to import, not needed by REST

    if k > len(embeddings):
        raise ValueError(f"{k} neighbours of {len(embeddings)} clips: {len(embeddings)} at most.")
    distance, index = NearestNeighbors(n_neighbors=k).fit(embeddings).kneighbors(points)
    return Neighbours(index, distance)


@dataclass(frozen=True)
class MapQuality:
    """Measures of a map in [0, 1], with MAP_QUALITY_NEIGHBOURS neighbours, over `n_points` random points."""

    n_points: int
    trustworthiness: float  # neighbours on the map are neighbours in the embedding (Venna & Kaski 2001)
    continuity: float  # neighbours in the embedding are neighbours on the map
    purity_embedding: float  # share of a point's neighbours with its label, in the embedding
    purity_map: float  # the same on the map
    same_corpus: float  # share of a point's neighbours of its corpus, in the embedding


def map_quality(
    embeddings: np.ndarray, coordinates: np.ndarray, labels: Sequence[str], corpora: Sequence[str]
) -> MapQuality:
    """The quality of a map.

    Args:
        embeddings: shape = (n, embedding_dim).
        coordinates: shape = (n, n_dims).
        labels: of each point, for the purity.
        corpora: of each point.

    Raises:
        ValueError: too few points.
    """
    from sklearn.manifold import trustworthiness

    if len(embeddings) < 2 * MAP_QUALITY_NEIGHBOURS + 2:
        raise ValueError(
            f"{len(embeddings)} points are too few to measure a map: {2 * MAP_QUALITY_NEIGHBOURS + 2} at least."
        )
    chosen = np.random.default_rng(0).permutation(len(embeddings))[:MAX_MAP_QUALITY_POINTS]
    high, low = embeddings[chosen], coordinates[chosen]
    return MapQuality(
        n_points=len(chosen),
        trustworthiness=float(trustworthiness(high, low, n_neighbors=MAP_QUALITY_NEIGHBOURS)),
        continuity=float(trustworthiness(low, high, n_neighbors=MAP_QUALITY_NEIGHBOURS)),
        purity_embedding=neighbour_purity(embeddings, labels, chosen),
        purity_map=neighbour_purity(coordinates, labels, chosen),
        same_corpus=neighbour_purity(embeddings, corpora, chosen),
    )


def neighbour_purity(points: np.ndarray, labels: Sequence[str], indices: np.ndarray) -> float:
    """Share of the nearest neighbours of the chosen points that have the same label as they."""
    classes = np.asarray(labels)
    found = nearest_neighbours(points, points[indices], MAP_QUALITY_NEIGHBOURS + 1).index
    others = [row[row != i][:MAP_QUALITY_NEIGHBOURS] for row, i in zip(found, indices, strict=True)]
    return float(np.mean([classes[row] == classes[i] for row, i in zip(others, indices, strict=True)]))
