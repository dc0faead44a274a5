"""The model card (README.md of a checkpoint), written from config.json and metrics.json: no figure is typed by hand."""

from ser_core.corpora import CORPUS_NAMES
from ser_core.metrics import percent
from ser_core.protocols import SHARES_SPEAKERS

TEMPLATE = """# {name}

A {family} network ({n_parameters:,} parameters) that hears one of eight emotions in a recording of speech:
{labels}. Input: the waveform, mono, 16 kHz; log-mel features are part of the model.

## How well it hears {whom}

Protocol `{protocol}`, fold {fold}: {independence}.
All eight emotions compete on every corpus. In brackets the 95 % interval from resampling speakers; a single
speaker has none, and says little about others.

{table}

Accuracy on the six emotions that all four speech corpora share: {common_pooled:.1f} % pooled, {common_mean:.1f} %
averaged over the corpora. TESS weighs much in pooled figures and is easy; read the rows.

Calibration: temperature {temperature:.2f}; expected calibration error {ece:.3f} (15 bins), NLL {nll:.2f} nats. Below a
certainty of {min_confidence:.0%} it says "not sure": on these speakers it answered {coverage:.0f} % of the clips, and
{accuracy_when_answered:.0f} % of these answers were right.

Reproduce: `python -m scripts.evaluate {name}` (needs the recordings in SER_CORPORA).

## How it was made

Trained from scratch on RAVDESS (speech and song), CREMA-D, TESS and SAVEE; the recipe is in `config.json`:
`python -m scripts.train {family} --protocol {protocol} --fold {fold}`.

## Intended use, and what it must not be used for

For research, teaching and the design of voice interfaces: to study acted emotional speech, to compare models, to
prototype. It was trained on **actors who played emotions**, in English, in quiet rooms. What it reports is how a
recording resembles such acting, not what a person feels.

Not for decisions about people: hiring, work, school, credit, insurance, policing, health. In the European Union the AI
Act forbids emotion inference at the workplace and in education, except for medical and safety reasons. Not for
children, who are in none of the corpora, and not for listening to anybody without their consent.

## Licence

The weights inherit the non-commercial terms of the recordings: RAVDESS CC BY-NC-SA 4.0, CREMA-D ODbL 1.0, TESS
CC BY-NC-ND 4.0, SAVEE research only.
"""


def model_card(name: str, config: dict, metrics: dict, n_parameters: int) -> str:
    """Markdown from the contents of config.json and metrics.json."""
    if shared := SHARES_SPEAKERS.get(metrics["protocol"]):
        whom, independence = "the speakers of its test part", f"**{shared}** between training and test"
    else:
        whom = "people it has never heard"
        n_speakers = metrics["pooled"]["n_speakers"]
        independence = f"none of the {n_speakers} speakers below was in the training or the development part"
    return TEMPLATE.format(
        whom=whom,
        independence=independence,
        name=name,
        family=config["family"],
        n_parameters=n_parameters,
        labels=", ".join(config["model"]["labels"]),
        protocol=metrics["protocol"],
        fold=metrics["fold"],
        table=score_table(metrics),
        common_pooled=100 * metrics["common_pooled"]["accuracy"],
        common_mean=100 * metrics["common_accuracy_mean"],
        temperature=config["calibration"]["temperature"],
        min_confidence=config["calibration"]["min_confidence"],
        ece=metrics["ece"],
        nll=metrics["nll"],
        coverage=100 * metrics["coverage"],
        accuracy_when_answered=100 * metrics["accuracy_when_answered"],
    )


def score_table(metrics: dict) -> str:
    """A Markdown table of UAR, macro-F1 and accuracy in percent, per corpus and pooled."""
    rows = [("speech pooled", metrics["pooled"])]
    for corpus, scores in reversed(metrics["corpora"].items()):
        n_emotions = sum(any(row) for row in metrics["confusion"][corpus])
        rows.insert(0, (f"{CORPUS_NAMES[corpus]}, {n_emotions} emotions", scores))
    header = "| corpus | clips | speakers | UAR % | macro-F1 % | accuracy % |\n|---|---|---|---|---|---|\n"
    return header + "\n".join(_row(title, scores) for title, scores in rows)


def _row(title: str, scores: dict) -> str:
    cells = (percent(scores[m], scores[f"{m}_ci"]) for m in ("uar", "macro_f1", "accuracy"))
    return f"| {title} | {scores['n_clips']} | {scores['n_speakers']} | {' | '.join(cells)} |"
