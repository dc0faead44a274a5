"""Classifiers of scikit-learn over the eGeMAPS functionals of opensmile: SVM, random forest, decision tree.

The functionals are those of Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research
and affective computing", 2016, in version v02: 88 statistics over a clip, of pitch, loudness, spectrum and voice
quality.
"""

import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, BadZipFile

import numpy as np
import torch
from torch import Tensor

from ser_core.models.base import ModelConfig, SERModel
from ser_core.models.zoo.classifier_checks import check_classifier, check_scaler

N_FUNCTIONALS = 88
MIN_FUNCTIONALS_SAMPLES = 960  # 60 ms, the longest frame of eGeMAPS: below it opensmile returns NaN
EGEMAPS_LEVEL_QUANTILE, EGEMAPS_TARGET_LEVEL = 0.99, 0.1
SVM_LOGISTIC_STEEPNESS = 4.0  # of the logistic function over the margins of the SVM, which are 1 at its support vectors
EGEMAPS_PROBABILITY_FLOOR = 1e-3  # of an emotion with probability 0: keeps logarithms finite
EGEMAPS_PACKAGES = {"opensmile": "opensmile==2.6.0", "sklearn": "scikit-learn==1.9.1", "skops": "skops==0.16.0"}
TRUSTED_SKOPS_TYPES = frozenset({"sklearn.tree._tree.Tree"})  # besides those of skops; see `classifier_checks`


@dataclass(frozen=True)
class EgemapsConfig(ModelConfig):
    """The classifier, and the window of its statistics, which is longer than most utterances."""

    window_s: float = 5.0
    classifier: str = "svm"  # or "forest", "tree"

    @property
    def embedding_dim(self) -> int:
        return N_FUNCTIONALS


class EgemapsClassifier(SERModel):
    """A scaler and a classifier of scikit-learn; without trainable weights, on the CPU."""

    weights_file = "model.skops"
    is_neural = False
    config: EgemapsConfig

    def __init__(self, config: EgemapsConfig):
        super().__init__(config)
        if config.classifier not in EGEMAPS_CLASSIFIERS:
            raise ValueError(f"Unknown classifier {config.classifier!r}. There are: {', '.join(EGEMAPS_CLASSIFIERS)}.")
        if config.frontend.n_mfcc or config.frontend.deltas:
            raise ValueError("Its features are eGeMAPS: it takes neither MFCC nor deltas.")
        self.pipeline: Any = None  # set by fit and load_weights

    def fit(self, features: np.ndarray, emotions: np.ndarray, seed: int = 0, **settings) -> "EgemapsClassifier":
        """Fits scaler and classifier.

        Args:
            features: functionals, shape = (n_clips, 88).
            emotions: three or more of config.labels, shape = (n_clips,).
            settings: of the classifier, by scikit-learn's names.
        """
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        classifier = EGEMAPS_CLASSIFIERS[self.config.classifier](random_state=seed, class_weight="balanced", **settings)
        self.pipeline = make_pipeline(StandardScaler(), classifier).fit(features, emotions)
        return self

    def frontend(self, waveform: Tensor, n_samples: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> functionals of each clip's own samples, shape = (B, 88).

        Raises:
            ImportError: opensmile is not installed.
        """
        lengths = [waveform.shape[1]] * len(waveform) if n_samples is None else n_samples.tolist()
        clips = zip(waveform.numpy(), lengths, strict=True)
        return torch.from_numpy(np.stack([egemaps_functionals(clip[:length]) for clip, length in clips]))

    def n_frames(self, n_samples: Tensor) -> Tensor:
        """One per clip: statistics have no time axis, shape = (B,)."""
        return torch.ones_like(n_samples)

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """Functionals (B, 88) -> standardised by the training clips, shape = (B, 88)."""
        return torch.from_numpy(self.pipeline[0].transform(features.numpy()))

    def head(self, embedding: Tensor) -> Tensor:
        """(B, 88) -> log probabilities before calibration, shape = (B, n_classes)."""
        classifier = self.pipeline[-1]
        known = _class_probabilities(classifier, embedding.numpy())
        n_classes = len(self.config.labels)
        probabilities = np.full((len(known), n_classes), EGEMAPS_PROBABILITY_FLOOR, np.float32)
        columns = [self.config.labels.index(label) for label in classifier.classes_]
        probabilities[:, columns] += (1 - n_classes * EGEMAPS_PROBABILITY_FLOOR) * known
        return torch.from_numpy(np.log(probabilities))

    def save_weights(self, path: Path) -> None:
        """Writes scaler and classifier with skops: loading runs no code from the file."""
        import skops.io

        skops.io.dump(self.pipeline, path, compression=ZIP_DEFLATED, compresslevel=9)

    def load_weights(self, path: Path) -> None:
        """Reads what save_weights wrote.

        Raises:
            ImportError: opensmile, scikit-learn or skops is not installed.
            OSError: the file is damaged.
            ValueError: a foreign file, or a classifier of another kind, other labels or features.
        """
        _opensmile_extractor()
        self.pipeline = self._check_pipeline(_read_skops(path))

    def _check_pipeline(self, pipeline):
        from sklearn.pipeline import Pipeline
        from sklearn.preprocessing import StandardScaler

        parts = [type(part) for part in pipeline] if type(pipeline) is Pipeline else []
        if parts != [StandardScaler, type(EGEMAPS_CLASSIFIERS[self.config.classifier]())]:
            raise ValueError(f"not a {self.config.classifier} of scikit-learn")
        if pipeline.n_features_in_ != N_FUNCTIONALS:
            raise ValueError(f"{pipeline.n_features_in_} features, not {N_FUNCTIONALS}")
        if foreign := set(pipeline.classes_.tolist()) - set(self.config.labels):
            raise ValueError(f"labels {', '.join(map(str, sorted(foreign)))} that are not in config.json")
        check_scaler(pipeline[0], N_FUNCTIONALS)
        check_classifier(pipeline[-1], N_FUNCTIONALS)
        return pipeline


def check_egemaps_installed() -> None:
    """Checks for the packages without importing them, which takes a second.

    Raises:
        ImportError: the message holds the command that installs it.
    """
    if missing := [package for package in EGEMAPS_PACKAGES if find_spec(package) is None]:
        raise ImportError(
            f"needs {' and '.join(missing)}: pip install {' '.join(EGEMAPS_PACKAGES[package] for package in missing)}"
            " (opensmile has a research licence); the other models work without."
        )


def egemaps_functionals(waveform: np.ndarray) -> np.ndarray:
    """The 88 eGeMAPSv02 functionals of one clip, float32, shape = (88,), all finite.

    Args:
        waveform: 16 kHz, shape = (n_samples,); below 60 ms it is padded with silence.

    Raises:
        ImportError: opensmile is not installed.
    """
    waveform = np.pad(_normalise_level(waveform), (0, max(0, MIN_FUNCTIONALS_SAMPLES - len(waveform))))
    kept = _functionals_cache.get()
    if kept is None:
        return _extract_functionals(waveform)
    digest = hashlib.sha256(waveform.tobytes()).digest()
    if digest not in kept:
        kept[digest] = _extract_functionals(waveform)
    return kept[digest].copy()


def functional_names() -> list[str]:
    """Names of the functionals by opensmile, in order.

    Raises:
        ImportError: opensmile is not installed.
    """
    return _opensmile_extractor().feature_names


_functionals_cache: ContextVar[dict[bytes, np.ndarray] | None] = ContextVar("functionals", default=None)


@contextmanager
def functionals_cache() -> Iterator[None]:
    """Within the context, the functionals of a clip are extracted once; on exit the cache is deleted, for privacy."""
    token = _functionals_cache.set({})
    try:
        yield
    finally:
        _functionals_cache.reset(token)


def _extract_functionals(waveform: np.ndarray) -> np.ndarray:
    return _opensmile_extractor()(waveform, 16_000).astype(np.float32).reshape(N_FUNCTIONALS)


def _normalise_level(waveform: np.ndarray) -> np.ndarray:
    """The waveform at a fixed level, as loudness is among the functionals and depends on the microphone.

    The level is the 99 % quantile of the absolute samples: a click would set the peak, and pauses lower the RMS, whose
    functional would become constant. It leaves 20 dB of headroom; louder samples are clipped, as opensmile computes in
    16 bits, which wrap around.
    """
    loud = np.quantile(np.abs(waveform), EGEMAPS_LEVEL_QUANTILE)
    return np.clip(waveform * (EGEMAPS_TARGET_LEVEL / max(loud, 1e-9)), -1, 1 - 2**-15).astype(np.float32)


@lru_cache(maxsize=1)
def _opensmile_extractor():
    """One extractor for the process; it keeps no state between clips."""
    check_egemaps_installed()
    try:
        import opensmile
    except OSError as error:  # its library is built for other machines
        raise ImportError(f"needs opensmile, which does not run here ({error!s:.80}); the other models do.") from None

    return opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)


def _make_svm(**settings):
    from sklearn.svm import SVC

    return SVC(decision_function_shape="ovo", **settings)


def _make_forest(**settings):
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(**settings)


def _make_tree(**settings):
    from sklearn.tree import DecisionTreeClassifier

    return DecisionTreeClassifier(**settings)


EGEMAPS_CLASSIFIERS = {"svm": _make_svm, "forest": _make_forest, "tree": _make_tree}
"""Name in the config -> function that makes it, which imports scikit-learn."""


def _class_probabilities(classifier, embedding: np.ndarray) -> np.ndarray:
    """Probabilities of classes_, shape = (B, n_known)."""
    if hasattr(classifier, "predict_proba"):
        return classifier.predict_proba(embedding)
    return _probabilities_from_margins(classifier.decision_function(embedding), len(classifier.classes_))


def _probabilities_from_margins(margins: np.ndarray, n_classes: int) -> np.ndarray:
    """Probabilities from the margins of all pairs, shape = (B, n_pairs) with the first class of a pair above zero.

    For each class, the geometric mean of the logistic function of its margins. The predicted class is almost always
    that of scikit-learn's votes, but votes are poor confidences: on the development speakers of `resonet` the area
    under the risk-coverage curve was 0.20 with votes and is 0.16 with this, the NLL 1.05 and 0.98.
    """
    first, second = np.eye(n_classes)[np.stack(np.triu_indices(n_classes, 1))]
    wins, losses = (-np.logaddexp(0, -sign * SVM_LOGISTIC_STEEPNESS * margins) for sign in (1, -1))
    shares = np.exp((wins @ first + losses @ second) / (n_classes - 1))
    return shares / shares.sum(1, keepdims=True)


def _read_skops(path: Path):
    """Reads a skops file with trusted types only."""
    import skops.io

    try:
        unknown = set(skops.io.get_untrusted_types(file=path)) - TRUSTED_SKOPS_TYPES
        if unknown:
            raise ValueError(f"types that are not trusted: {', '.join(sorted(unknown))}")
        return skops.io.load(path, trusted=sorted(TRUSTED_SKOPS_TYPES))
    except (BadZipFile, KeyError, EOFError, zlib.error) as error:
        raise OSError(f"{path.name} is damaged") from error
