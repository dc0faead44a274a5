"""The model card (README.md of a checkpoint), written from its files and its protocol: no figure is typed by hand."""

import shlex

from ser_core.data import CORPUS_LICENCES, CORPUS_NAMES, ProtocolSplit, protocol_split
from ser_core.evaluation.model_cards.sentences import (
    describe_abstention,
    describe_calibration,
    describe_common_emotions,
    describe_input,
    describe_test_speakers,
    describe_training,
    training_command,
)
from ser_core.evaluation.model_cards.tables import score_table, speaker_table
from ser_core.evaluation.summary.intended_use import INTENDED_USE, PROHIBITED_USE

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

Reproduce: `python -m scripts.evaluate {quoted_name}` (needs the recordings in SER_CORPORA).

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
    parts = protocol_split(metrics["protocol"], metrics["fold"])
    return MODEL_CARD_TEMPLATE.format(
        name=name,
        quoted_name=shlex.quote(name),
        evidence=extra_sections,
        intended_use=INTENDED_USE,
        **_model_fields(config, n_parameters),
        **_result_fields(config, metrics, parts),
        **_training_fields(name, config, metrics["protocol"], parts),
    )


def _model_fields(config: dict, n_parameters: int | None) -> dict[str, str]:
    size = f"a network of the family {config['family']} with {n_parameters:,} parameters" if n_parameters else ""
    return {
        "what": size or "a scikit-learn classifier",
        "labels": ", ".join(config["model"]["labels"]),
        "features": describe_input(config),
    }


def _result_fields(config: dict, metrics: dict, parts: ProtocolSplit) -> dict[str, str | float]:
    evaluated_on, independence = describe_test_speakers(metrics)
    return {
        "evaluated_on": evaluated_on,
        "protocol": metrics["protocol"],
        "fold": f", fold {metrics['fold']}" if metrics["fold"] is not None else "",
        "independence": independence,
        "table": score_table(metrics),
        "common": describe_common_emotions(metrics),
        "calibration": describe_calibration(config, metrics, parts),
        "doubt": describe_abstention(config["calibration"]),
        "coverage": 100 * metrics["coverage"],
        "accuracy_when_answered": 100 * metrics["accuracy_when_answered"],
    }


def _training_fields(name: str, config: dict, protocol: str, parts: ProtocolSplit) -> dict[str, str]:
    trained_on = [c for c in CORPUS_NAMES if any(i.startswith(f"{c}/") for i in parts.train)]
    return {
        "made": describe_training(config, trained_on),
        "command": training_command(name, config),
        "speakers": speaker_table(protocol, parts),
        "licences": ", ".join(f"{CORPUS_NAMES[c]} {CORPUS_LICENCES[c]}" for c in trained_on),
    }


def render_pretrained_card(name: str, source: str, n_parameters: int, labels: str) -> str:
    """Markdown for a pretrained model.

    Args:
        source: the name it was published under.
        labels: how its labels map to the emotions, as a sentence.
    """
    return PRETRAINED_CARD_TEMPLATE.format(
        name=name, source=source, n_parameters=n_parameters, labels=labels, forbidden_use=PROHIBITED_USE
    )
