"""The model card (README.md of a checkpoint), written from its files and its protocol: no figure is typed by hand."""

import json
from collections.abc import Iterable

from ser_core.data import CORPUS_NAMES, SPEAKER_OVERLAP, ProtocolSplit, is_speech, protocol_split, read_protocol
from ser_core.evaluation.summary.intended_use import INTENDED_USE, PROHIBITED_USE
from ser_core.metrics import format_percent
from ser_core.models import MODEL_FAMILIES, MODELS, ModelConfig
from ser_core.training import MODEL_PREFIX, config_overrides

MODEL_CARD_TEMPLATE = """# {name}

`{name}` is {what}. It assigns one of eight emotions to a recording of speech:
{labels}.
Input: the waveform, mono, 16 kHz; {features}.
{evidence}
## Results on {evaluated_on}

Protocol `{protocol}`{fold}: {independence}.
All eight classes are possible on every corpus. Brackets: 95 % confidence interval over speakers (t, jackknife
within each corpus); fewer than eight speakers of a corpus have none and are weak evidence about others.

{table}

{common}{calibration}
{doubt}: {coverage:.0f} % of the test clips are answered,
{accuracy_when_answered:.0f} % of these right, pooled over the corpora.

Reproduce: `python -m scripts.evaluate {name}` (needs the recordings in SER_CORPORA).

## Training

{made};
the recipe is in `config.json`: `{command}`.

Speakers of each part, by the numbers and names of the corpora:

{speakers}

## Intended use and prohibited use

{intended_use}

## Licence

The weights inherit the terms of the recordings, which allow no commercial use:
{licences}.
"""

PRETRAINED_CARD_TEMPLATE = """# {name}

`{name}` is a pretrained model published as `{source}`, with {n_parameters:,} parameters. Input: the waveform, mono,
16 kHz. {labels}

**Not evaluated here, and its confidence is not calibrated.** The results of its authors come from their own
recordings, often with speakers of the training part. `python -m scripts.evaluate` refuses it, since only its authors
know whether the test speakers were in its training data. It abstains ("not sure") below a confidence of 50 %, where by
its own probabilities it is more often wrong than right.

## Prohibited use

{forbidden_use}

## Licence

The licence of `{source}`; see where the model was published.
"""

CORPUS_LICENCES = {
    "ravdess": "CC BY-NC-SA 4.0",
    "ravdess_song": "CC BY-NC-SA 4.0",
    "crema_d": "ODbL 1.0",
    "tess": "CC BY-NC-ND 4.0",
    "savee": "research only",
    "hindi": "research and education, with attribution",
    "emovo": "non-commercial",
    "turev": "CC BY-NC-ND 4.0",
    "ased": "freely available, with citation of its paper",
}


ON_ENCODER = {
    "whisper": "A linear head on the frozen encoder of Whisper base (OpenAI, MIT licence)",
    "fusion": "The sum of a linear head on the frozen encoder of Whisper base (OpenAI, MIT licence) and of a network",
}
"""Families with a pre-trained, frozen part, and how they are made."""


def render_model_card(
    name: str, config: dict, metrics: dict, n_parameters: int | None, extra_sections: str = ""
) -> str:
    """Markdown from the contents of config.json and metrics.json, and the protocol that both name.

    Args:
        n_parameters: None or 0 for a model that is not a neural network.
        extra_sections: further results as Markdown, from evaluation_sections.

    Raises:
        ProtocolError: a protocol that does not exist.
    """
    protocol, fold = metrics["protocol"], metrics["fold"]
    parts = protocol_split(protocol, fold)
    evaluated_on, independence = _describe_test_speakers(metrics)
    size = f"a network of the family {config['family']} with {n_parameters:,} parameters" if n_parameters else ""
    trained_on = [c for c in CORPUS_NAMES if any(i.startswith(f"{c}/") for i in parts.train)]
    return MODEL_CARD_TEMPLATE.format(
        name=name,
        what=size or "a scikit-learn classifier",
        labels=", ".join(config["model"]["labels"]),
        features=_describe_input(config),
        evaluated_on=evaluated_on,
        protocol=protocol,
        fold=f", fold {fold}" if fold is not None else "",
        independence=independence,
        table=score_table(metrics),
        common=_describe_common_emotions(metrics),
        calibration=_describe_calibration(config, metrics, parts),
        doubt=_describe_abstention(config["calibration"]["min_confidence"]),
        coverage=100 * metrics["coverage"],
        evidence=extra_sections,
        accuracy_when_answered=100 * metrics["accuracy_when_answered"],
        made=_describe_training(config, trained_on),
        command=_training_command(name, config),
        speakers=speaker_table(protocol, parts),
        intended_use=INTENDED_USE,
        licences=", ".join(f"{CORPUS_NAMES[c]} {CORPUS_LICENCES[c]}" for c in trained_on),
    )


def render_pretrained_card(name: str, source: str, n_parameters: int, labels: str) -> str:
    """Markdown for a pretrained model.

    Args:
        source: the name it was published under.
        labels: how its labels map to the emotions, as a sentence.
    """
    return PRETRAINED_CARD_TEMPLATE.format(
        name=name, source=source, n_parameters=n_parameters, labels=labels, forbidden_use=PROHIBITED_USE
    )


def _describe_test_speakers(metrics: dict) -> tuple[str, str]:
    if shared := SPEAKER_OVERLAP.get(metrics["protocol"]):
        return "the speakers of its test part", f"**{shared}** between training and test"
    n_speakers = metrics["pooled"]["n_speakers"]
    independence = f"none of the {n_speakers} speakers below was in the training or the development part"
    return "unseen speakers", independence


def _describe_input(config: dict) -> str:
    if config["family"] == "egemaps":
        return "the 88 eGeMAPSv02 functionals, computed by opensmile, are part of the model"
    if config["family"] == "wav2vec2":
        return "the network takes it without a spectral front end"
    frontend = config["model"]["frontend"]
    bands = "mel-frequency cepstral coefficients" if frontend.get("n_mfcc") else "log-mel features"
    return f"{bands} are part of the model"


def _describe_common_emotions(metrics: dict) -> str:
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


def _describe_calibration(config: dict, metrics: dict, parts: ProtocolSplit) -> str:
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


def _describe_abstention(min_confidence: float) -> str:
    if not min_confidence:
        return "It abstains only where no speech is detected"
    return f"It abstains below a confidence of {100 * min_confidence:.0f} %"


def _describe_training(config: dict, trained_on: list[str]) -> str:
    own = [f"{n} recordings of {corpus}" for corpus, n in config["training"].get("folders", {}).items()]
    *most, last = (*(CORPUS_NAMES[c] for c in trained_on), *own)
    corpora = f"{', '.join(most)} and {last}" if most else last
    start, teachers = config["training"].get("start"), config["training"].get("teachers", [])
    made = f"Started from {start}, then trained on {corpora}" if start else f"Trained from scratch on {corpora}"
    if config["family"] in ON_ENCODER:
        made = f"{ON_ENCODER[config['family']]}, trained on {corpora}"
    distilled = f", on the labels and on the probabilities of {len(teachers)} teachers trained on the same clips"
    return made + distilled if teachers else made


def _training_command(name: str, config: dict) -> str:
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
        values["set"] = " ".join(f"{MODEL_PREFIX}{field}={json.dumps(value)}" for field, value in changes.items())
    return f"python -m scripts.train {name if name in MODELS else config['family']} {_command_flags(values)}"


def _command_flags(values: dict) -> str:
    return " ".join(f"--{flag} {value}" for flag, value in values.items() if value is not None)


def _model_config(config: dict) -> ModelConfig:
    return MODEL_FAMILIES[config["family"]][1].from_dict(config["model"])


def score_table(metrics: dict) -> str:
    """A Markdown table of UAR, macro-F1 and accuracy in percent, per corpus and pooled."""
    pooled = "speech and song pooled" if "ravdess_song" in metrics["pooled_corpora"] else "speech pooled"
    rows = [(_corpus_title(metrics, corpus), scores) for corpus, scores in metrics["corpora"].items()]
    header = "| corpus | clips | speakers | UAR % | macro-F1 % | accuracy % |\n|---|---|---|---|---|---|\n"
    return header + "\n".join(_score_row(title, scores) for title, scores in [*rows, (pooled, metrics["pooled"])])


def _corpus_title(metrics: dict, corpus: str) -> str:
    return f"{CORPUS_NAMES[corpus]}, {len(metrics['per_class'][corpus])} emotions"


def _score_row(title: str, scores: dict) -> str:
    cells = (format_percent(scores[m], scores[f"{m}_ci"]) for m in ("uar", "macro_f1", "accuracy"))
    return f"| {title} | {scores['n_clips']} | {scores['n_speakers']} | {' | '.join(cells)} |"


def speaker_table(protocol: str, parts: ProtocolSplit) -> str:
    """A Markdown table of the speakers of each corpus and part: how many, and which."""
    rows = {row["utterance"]: row for row in read_protocol(protocol)}
    lines = ["| corpus | training | development | test |", "|---|---|---|---|"]
    for corpus, title in CORPUS_NAMES.items():
        speakers = [
            {rows[i]["speaker"].split("-")[1] for i in ids if rows[i]["corpus"] == corpus}
            for ids in (parts.train, parts.dev, parts.test)
        ]
        if any(speakers):
            lines.append(f"| {title} | {' | '.join(_format_speakers(names) for names in speakers)} |")
    return "\n".join(lines)


def _format_speakers(names: Iterable[str]) -> str:
    """How many and which: "4: 01-03, 07"."""
    runs: list[list[str]] = []
    for name in sorted(names):
        if runs and name.isdigit() and int(name) == int(runs[-1][-1]) + 1:
            runs[-1].append(name)
        else:
            runs.append([name])
    listed = ", ".join(run[0] if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs)
    return f"{sum(map(len, runs))}: {listed}" if runs else "none"
