"""A published audio classifier of transformers as a model: its network unchanged, its labels mapped to our emotions.

Of the kinds with waveform input: wav2vec 2.0, HuBERT, WavLM. Built from its config by classes of transformers, never by
code in its folder; loaded from safetensors, strictly.
"""

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ser_core.labels import EMOTIONS
from ser_core.models.base import ModelConfig, WaveformModel
from ser_core.models.errors import first_line
from ser_core.models.zoo.wav2vec2 import WAV2VEC2_VARIANCE_FLOOR, receptive_field, transformers_package

TRANSFORMERS_CLASSES = {
    "wav2vec2": "Wav2Vec2ForSequenceClassification",
    "hubert": "HubertForSequenceClassification",
    "wavlm": "WavLMForSequenceClassification",
}
EMOTION_SYNONYMS = {
    "neutral": ("neutral", "neutrality", "neu"),
    "calm": ("calm", "calmness", "cal"),
    "happy": ("happy", "happiness", "joy", "joyful", "hap"),
    "sad": ("sad", "sadness", "sa"),
    "angry": ("angry", "anger", "ang"),
    "fear": ("fear", "fearful", "fea"),
    "disgust": ("disgust", "disgusted", "dis"),
    "surprise": ("surprise", "surprised", "sur", "ps", "pleasant surprise"),
}
"""Our emotion -> labels of published models that mean it, in any case. Other labels are asked for, never guessed."""

_EMOTION_OF_LABEL = {name: emotion for emotion, names in EMOTION_SYNONYMS.items() for name in names}

PRETRAINED_PROBABILITY_FLOOR = 1e-6  # of an emotion without label: keeps logarithms finite
PRETRAINED_METADATA_KEYS = (
    "architectures",
    "dtype",
    "torch_dtype",
    "auto_map",
    "transformers_version",
    "_name_or_path",
)


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
        network = getattr(transformers_package(), _transformers_class_name(config.stock))(
            _make_transformers_config(config.stock)
        )
        if _labels_by_output(network.config.id2label) != list(config.answers):
            raise ValueError("its labels are not those of the mapping")
        self.classifier, network.classifier = network.classifier, nn.Identity()
        self.network = network
        self.register_buffer("emotions", _label_to_emotion_matrix(config.answers), persistent=False)

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


def describe_labels(label_map: Mapping[str, str | None]) -> str:
    """The mapping of labels to emotions, and the unmapped ones of both, as a sentence."""
    mapped = ", ".join(f"{label} is {emotion}" for label, emotion in label_map.items() if emotion)
    unmapped = [label for label, emotion in label_map.items() if not emotion]
    unknown = [emotion for emotion in EMOTIONS if emotion not in label_map.values()]
    parts = [f"Its labels: {mapped}."]
    if unmapped:
        parts.append(f"Spread over all emotions, as it is none of them: {', '.join(unmapped)}.")
    if unknown:
        parts.append(f"It has no label for {', '.join(unknown)}.")
    return " ".join(parts)


def map_labels_to_emotions(labels: list[str], label_map: Mapping[str, str | None]) -> dict[str, str | None]:
    """The emotion of each label: as in `label_map`, otherwise the one of which it is a known synonym.

    Raises:
        ValueError: unmapped labels, labels of the map that do not occur, or unknown emotions.
    """
    if strange := sorted(set(label_map) - set(labels)):
        raise ValueError(f"The map names {', '.join(strange)}; the model's labels are {', '.join(labels)}.")
    if strange := sorted({str(emotion) for emotion in label_map.values()} - {*EMOTIONS, "None"}):
        raise ValueError(f"The map names {', '.join(strange)}; the emotions are {', '.join(EMOTIONS)}, or null.")
    found = {label: label_map[label] if label in label_map else _synonym(label) for label in labels}
    if unmapped := [label for label in labels if not found[label] and label not in label_map]:
        line = " ".join(shlex.quote(f"{label}=none") for label in unmapped)
        raise ValueError(
            f"It predicts {', '.join(unmapped)}, which the program does not map to {', '.join(EMOTIONS)} by itself. "
            f"Add this, with an emotion in place of none where one fits: --map {line}"
        )
    if not any(found.values()):
        raise ValueError("None of its labels is an emotion of ours.")
    return found


def _synonym(label: str) -> str | None:
    return _EMOTION_OF_LABEL.get(label.strip().lower().replace("_", " "))


def _labels_by_output(id2label: Mapping) -> list[str]:
    """The labels in the order of the outputs, which need not be the order of the file."""
    return [id2label[number] for number in sorted(id2label, key=int)]


def load_pretrained_classifier(
    source: str, label_map: Mapping[str, str | None], download: bool = False
) -> HuggingFaceClassifier:
    """A published classifier with all of its weights.

    Args:
        source: a local folder with config.json, preprocessor_config.json and model.safetensors, or a name on the hub.
        label_map: label -> emotion or None, for labels that are no known synonym.
        download: whether to download a name that is not in the local cache.

    Raises:
        ValueError: no such folder or name, another kind of model, missing or surplus weights, unmapped labels; the
            message names the cure.
    """
    stock, extractor = _read_config_and_extractor(source, download)
    mapped = map_labels_to_emotions(_labels_by_output(stock.id2label), label_map)
    if extractor.sampling_rate != 16_000:
        raise ValueError(f"{source} expects {extractor.sampling_rate} Hz, this program 16000 Hz.")
    network = _load_strict(source, stock.model_type, download)
    classifier = cast(nn.Linear, network.classifier)
    values = {
        k: v for k, v in json.loads(stock.to_json_string(use_diff=False)).items() if k not in PRETRAINED_METADATA_KEYS
    }
    model = HuggingFaceClassifier(
        HuggingFaceClassifierConfig(
            stock=values,
            answers=mapped,
            do_normalize=extractor.do_normalize,
            embedding_dim=classifier.in_features,
        )
    )
    model.classifier.load_state_dict(classifier.state_dict())
    network.classifier = nn.Identity()
    model.network.load_state_dict(network.state_dict())
    return model.eval()


def _read_config_and_extractor(source: str, download: bool) -> tuple:
    """(config, feature extractor), before any large file is read."""
    transformers = transformers_package()
    if Path(source).is_file():
        raise ValueError(f"{source} is a file. Name its folder.")
    try:
        values, _ = transformers.PretrainedConfig.get_config_dict(source, local_files_only=not download)
    except Exception as error:  # its type depends on the folder
        raise ValueError(f"{_unreadable_reason(source, download)}: {first_line(error)}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{source}/config.json is not an object: it describes no model.")
    _transformers_class_name(values)
    if values.get("problem_type") in ("regression", "multi_label_classification"):
        raise ValueError(f"{source} is a {values['problem_type']} model; this program needs one emotion per clip.")
    try:
        extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(source, local_files_only=not download)
        return _make_transformers_config(values), extractor
    except Exception as error:
        raise ValueError(f"{source} cannot be read: {first_line(error)}") from None


def _unreadable_reason(source: str, download: bool) -> str:
    if Path(source).is_dir() or download:
        return f"{source} cannot be read"
    return f"{source} is not a local folder, and not in the local Hugging Face cache (--download fetches it)"


def _load_strict(source: str, kind: str, download: bool) -> nn.Module:
    """The network, loaded strictly: transformers itself would only log missing weights."""
    try:
        network, report = getattr(transformers_package(), TRANSFORMERS_CLASSES[kind]).from_pretrained(
            source, use_safetensors=True, dtype=torch.float32, output_loading_info=True, local_files_only=not download
        )
    except Exception as error:
        raise ValueError(f"{source} cannot be loaded from model.safetensors: {first_line(error)}") from None
    for what, names in (("missing", report["missing_keys"]), ("too many", report["unexpected_keys"])):
        if names:
            raise ValueError(
                f"{source} does not fit {TRANSFORMERS_CLASSES[kind]}: {len(names)} weights are {what}, as "
                f"{', '.join(sorted(names)[:3])}. Its predictions would be random; "
                "code that comes with a model is never run."
            )
    return network


def _transformers_class_name(stock: Mapping) -> str:
    kind = stock.get("model_type")
    if kind not in TRANSFORMERS_CLASSES:
        raise ValueError(
            f"It is a model of the kind {kind!s:.40}; this program supports {', '.join(TRANSFORMERS_CLASSES)}."
        )
    return TRANSFORMERS_CLASSES[kind]


def _make_transformers_config(values: dict):
    return transformers_package().AutoConfig.for_model(**values)


def _label_to_emotion_matrix(label_map: Mapping[str, str | None]) -> Tensor:
    """The share of each emotion in each label, shape = (n_labels, n_classes); rows sum to 1."""
    rows = [
        [float(emotion == mapped) if mapped else 1 / len(EMOTIONS) for emotion in EMOTIONS]
        for mapped in label_map.values()
    ]
    return torch.tensor(rows)
