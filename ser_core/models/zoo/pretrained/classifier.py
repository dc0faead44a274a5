"""A published audio classifier of transformers as a model: its network unchanged, its labels mapped to our emotions.

Of the kinds with waveform input: wav2vec 2.0, HuBERT, WavLM. Built from its config by classes of transformers, never by
code in its folder; loaded from safetensors, strictly.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ser_core.models.base import ModelConfig, WaveformModel
from ser_core.models.zoo.pretrained.labels import describe_labels, label_to_emotion_matrix, labels_by_output
from ser_core.models.zoo.wav2vec2 import WAV2VEC2_VARIANCE_FLOOR, receptive_field, transformers_package

TRANSFORMERS_CLASSES = {
    "wav2vec2": "Wav2Vec2ForSequenceClassification",
    "hubert": "HubertForSequenceClassification",
    "wavlm": "WavLMForSequenceClassification",
}


PRETRAINED_PROBABILITY_FLOOR = 1e-6  # of an emotion without label: keeps logarithms finite


@dataclass(frozen=True)
class HuggingFaceClassifierConfig(ModelConfig):
    """The network's config, and the emotion of each of its labels.

    answers: label -> emotion, in the order of its outputs; None for a label that is none of our emotions: its
        probability is spread over all of them and lowers the confidence.
    """

    window_s: float = 5.0  # most utterances are shorter
    stock: dict = field(default_factory=dict, hash=False)
    answers: dict = field(default_factory=dict, hash=False)
    do_normalize: bool = True  # zero mean and unit variance of each clip
    embedding_dim: int = 256  # of its projection


class HuggingFaceClassifier(WaveformModel):
    """See the module's docstring. For inference only: it is neither trained nor calibrated here."""

    config: HuggingFaceClassifierConfig

    def __init__(self, config: HuggingFaceClassifierConfig):
        """Random weights; see load_weights.

        Raises:
            ValueError: a kind of network that is not in TRANSFORMERS_CLASSES, or labels that do not match.
        """
        super().__init__(config)
        network = getattr(transformers_package(), transformers_class_name(config.stock))(
            make_transformers_config(config.stock)
        )
        if labels_by_output(network.config.id2label) != list(config.answers):
            raise ValueError("its labels are not those of the mapping")
        self.classifier, network.classifier = network.classifier, nn.Identity()
        self.network = network
        self.register_buffer("emotions", label_to_emotion_matrix(config.answers), persistent=False)

    @property
    def note(self) -> str:
        """See SERModel."""
        return f"Made elsewhere: not calibrated here. {describe_labels(self.config.answers)}"

    def encode(self, features: Tensor, n_frames: Tensor | None = None) -> Tensor:
        """(B, n_samples) -> embedding, shape = (B, embedding_dim).

        Clips shorter than the batch run alone: padding would change the normalisation of the network.
        """
        if n_frames is None or bool((n_frames == features.shape[1]).all()):
            return self._mean_pooled(features)
        return torch.cat(
            [self._mean_pooled(clip[None, :n]) for clip, n in zip(features, n_frames.tolist(), strict=True)]
        )

    def _mean_pooled(self, waveform: Tensor) -> Tensor:
        waveform = waveform.float()
        if self.config.do_normalize:
            variance, mean = torch.var_mean(waveform, dim=1, correction=0, keepdim=True)
            waveform = (waveform - mean) / (variance + WAV2VEC2_VARIANCE_FLOOR).sqrt()
        missing = max(0, receptive_field(self.network.config) - waveform.shape[1])
        return self.network(nn.functional.pad(waveform, (0, missing))).logits.float()

    def head(self, embedding: Tensor) -> Tensor:
        """(B, embedding_dim) -> logarithms of the probabilities of our emotions, shape = (B, n_classes)."""
        return (self.classifier(embedding).softmax(-1) @ self.emotions + PRETRAINED_PROBABILITY_FLOOR).log()

    def save_weights(self, path: Path) -> None:
        """Writes the weights under their published names, in full precision."""
        named = {name.removeprefix("network."): value for name, value in self.state_dict().items()}
        save_file({name: value.cpu().contiguous() for name, value in named.items()}, path, {"format": "pt"})

    def load_weights(self, path: Path) -> None:
        """See SERModel."""
        named = load_file(path).items()
        own = ("classifier.",)
        self.load_state_dict({n if n.startswith(own) else f"network.{n}": v for n, v in named}, strict=True)

    def transformers_files(self) -> dict[str, dict]:
        """Files for `transformers.pipeline("audio-classification", model=folder)`, with the published labels."""
        extractor = transformers_package().Wav2Vec2FeatureExtractor(
            sampling_rate=self.sample_rate, do_normalize=self.config.do_normalize, return_attention_mask=True
        )
        config = self.config.stock | {
            "architectures": [TRANSFORMERS_CLASSES[self.config.stock["model_type"]]],
            "dtype": "float32",
        }
        return {"config.json": config, "preprocessor_config.json": json.loads(extractor.to_json_string())}


def transformers_class_name(stock: Mapping) -> str:
    kind = stock.get("model_type")
    if kind not in TRANSFORMERS_CLASSES:
        raise ValueError(
            f"It is a model of the kind {kind!s:.40}; this program supports {', '.join(TRANSFORMERS_CLASSES)}."
        )
    return TRANSFORMERS_CLASSES[kind]


def make_transformers_config(values: dict):
    return transformers_package().AutoConfig.for_model(**values)
