"""Loading of a published classifier, strictly, from a folder or the hub."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch
from torch import nn

from ser_core.models.errors import first_line
from ser_core.models.zoo.pretrained.classifier import (
    TRANSFORMERS_CLASSES,
    HuggingFaceClassifier,
    HuggingFaceClassifierConfig,
    make_transformers_config,
    transformers_class_name,
)
from ser_core.models.zoo.pretrained.labels import labels_by_output, map_labels_to_emotions
from ser_core.models.zoo.wav2vec2 import transformers_package

PRETRAINED_METADATA_KEYS = (
    "architectures",
    "dtype",
    "torch_dtype",
    "auto_map",
    "transformers_version",
    "_name_or_path",
)


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
    mapped = map_labels_to_emotions(labels_by_output(stock.id2label), label_map)
    if extractor.sampling_rate != 16_000:
        raise ValueError(f"{source} expects {extractor.sampling_rate} Hz, this program 16000 Hz.")
    network = _load_strict(source, stock.model_type, download)
    classifier = cast(nn.Linear, network.classifier)
    values = json.loads(stock.to_json_string(use_diff=False)).items()
    config = HuggingFaceClassifierConfig(
        stock={key: value for key, value in values if key not in PRETRAINED_METADATA_KEYS},
        answers=mapped,
        do_normalize=extractor.do_normalize,
        embedding_dim=classifier.in_features,
    )
    model = HuggingFaceClassifier(config)
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
    transformers_class_name(values)
    if values.get("problem_type") in ("regression", "multi_label_classification"):
        raise ValueError(f"{source} is a {values['problem_type']} model; this program needs one emotion per clip.")
    try:
        extractor = transformers.Wav2Vec2FeatureExtractor.from_pretrained(source, local_files_only=not download)
        return make_transformers_config(values), extractor
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
