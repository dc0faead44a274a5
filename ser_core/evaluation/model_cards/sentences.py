"""Sentences of a model card, from config.json and metrics.json."""

import json
import shlex

from ser_core.data import CORPUS_NAMES, SPEAKER_OVERLAP, ProtocolSplit, is_speech
from ser_core.models import MODEL_FAMILIES, MODELS, ModelConfig
from ser_core.training import MODEL_PREFIX, config_overrides

ON_ENCODER = {
    "whisper": "A linear head on the frozen encoder of Whisper base (OpenAI, MIT licence)",
    "fusion": "The sum of a linear head on the frozen encoder of Whisper base (OpenAI, MIT licence) and of a network",
}
"""Families with a pre-trained, frozen part, and how they are made."""


def describe_test_speakers(metrics: dict) -> tuple[str, str]:
    if shared := SPEAKER_OVERLAP.get(metrics["protocol"]):
        return "the speakers of its test part", f"**{shared}** between training and test"
    n_speakers = metrics["pooled"]["n_speakers"]
    independence = f"none of the {n_speakers} speakers below was in the training or the development part"
    return "unseen speakers", independence


def describe_input(config: dict) -> str:
    if config["family"] == "egemaps":
        return "the 88 eGeMAPSv02 functionals, computed by opensmile, are part of the model"
    if config["family"] == "wav2vec2":
        return "the network takes it without a spectral front end"
    frontend = config["model"]["frontend"]
    bands = "mel-frequency cepstral coefficients" if frontend.get("n_mfcc") else "log-mel features"
    return f"{bands} are part of the model"


def describe_common_emotions(metrics: dict) -> str:
    n_speech = sum(is_speech(corpus) for corpus in metrics["pooled_corpora"])
    if metrics["common_accuracy_mean"] is None or n_speech < 2:
        return ""
    pooled, mean = 100 * metrics["common_pooled"]["accuracy"], 100 * metrics["common_accuracy_mean"]
    mind = (
        "\nTESS is large and easy and dominates the pooled figures: compare the rows."
        if "tess" in metrics["corpora"]
        else ""
    )
    return (
        f"Accuracy on the six emotions common to all speech corpora: {pooled:.1f} % pooled,\n"
        f"{mean:.1f} % averaged over these corpora.{mind}\n\n"
    )


def describe_calibration(config: dict, metrics: dict, parts: ProtocolSplit) -> str:
    fitted = "fitted on the development part" if parts.dev else "not fitted: the protocol has no development part"
    if config["family"] in ON_ENCODER:
        fitted = "fitted on corpora left out of training"
    if power := config["calibration"].get("distance_power"):
        fitted = f"and distance to the power of {power:g}, fitted on left-out corpora and on unseen speakers"
    before, after = metrics["calibration"]["before"], metrics["calibration"]["after"]
    return (
        f"Calibration: temperature {metrics['calibration']['temperature']:.2f} ({fitted}). Expected calibration error "
        f"{after['ece']:.3f} (15 bins;\n{before['ece']:.3f} without it), NLL {after['nll']:.2f} nats "
        f"({before['nll']:.2f} without it)."
    )


def describe_abstention(calibration: dict) -> str:
    if not calibration["min_confidence"]:
        return "It abstains only where no speech is detected"
    found = f"It abstains below a confidence of {100 * calibration['min_confidence']:.0f} %"
    relative = calibration.get("reference_min_confidence")
    return found if relative is None else f"{found} ({100 * relative:.0f} % with reference clips)"


def describe_training(config: dict, trained_on: list[str]) -> str:
    own = [f"{n} recordings of {corpus}" for corpus, n in config["training"].get("folders", {}).items()]
    *most, last = (*(CORPUS_NAMES[c] for c in trained_on), *own)
    corpora = f"{', '.join(most)} and {last}" if most else last
    start, teachers = config["training"].get("start"), config["training"].get("teachers", [])
    made = f"Started from {start}, then trained on {corpora}" if start else f"Trained from scratch on {corpora}"
    if config["family"] in ON_ENCODER:
        made = f"{ON_ENCODER[config['family']]}, trained on {corpora}"
    distilled = f", on the labels and on the probabilities of {len(teachers)} teachers trained on the same clips"
    return made + distilled if teachers else made


def training_command(name: str, config: dict) -> str:
    """The command that trains this model."""
    training = config["training"]
    if config["family"] == "fusion":
        return "python -m scripts.fuse"
    if training.get("teachers"):
        values = {key: training.get(key) for key in ("protocol", "fold")}
        return f"python -m scripts.distill {_command_flags(values)}"
    values = {key: training.get(key) for key in ("protocol", "fold", "start")}
    if "epochs" in training.get("recipe", {}) and config["family"] not in ON_ENCODER:
        values["recipe"] = f"checkpoints/{name}"
    if name in MODELS and (changes := config_overrides(_model_config(config), MODELS[name][1])):
        values["set"] = [f"{MODEL_PREFIX}{field}={json.dumps(value)}" for field, value in changes.items()]
    return f"python -m scripts.train {name if name in MODELS else config['family']} {_command_flags(values)}"


def _command_flags(values: dict) -> str:
    given = ((flag, value if isinstance(value, list) else [value]) for flag, value in values.items())
    return " ".join(f"--{flag} {shlex.join(words)}" for flag, words in given if words != [None])


def _model_config(config: dict) -> ModelConfig:
    return MODEL_FAMILIES[config["family"]][1].from_dict(config["model"])
