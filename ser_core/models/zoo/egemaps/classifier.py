"""Classifiers of scikit-learn over the eGeMAPS functionals of opensmile: SVM, random forest, decision tree.

The functionals are those of Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for voice research
and affective computing", 2016, in version v02: 88 statistics over a clip, of pitch, loudness, spectrum and voice
quality.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED

import numpy as np
import torch
from torch import Tensor

from ser_core.models.base import ModelConfig, SERModel
from ser_core.models.zoo.egemaps.checks import check_classifier, check_scaler
from ser_core.models.zoo.egemaps.functionals import N_FUNCTIONALS, egemaps_functionals, opensmile_extractor
from ser_core.models.zoo.egemaps.scikit import EGEMAPS_CLASSIFIERS, class_probabilities, read_skops

EGEMAPS_PROBABILITY_FLOOR = 1e-3  # of an emotion with probability 0: keeps logarithms finite


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
        known = class_probabilities(classifier, embedding.numpy())
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
        opensmile_extractor()
        self.pipeline = self._check_pipeline(read_skops(path))

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
        check_scaler(pipeline[0])
        check_classifier(pipeline[-1])
        return pipeline
