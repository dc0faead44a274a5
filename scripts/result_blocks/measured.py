"""What single commands measured: speed, robustness, non-speech, experiments."""

import json
from collections import defaultdict

import numpy as np

from scripts.bench.benchmark.costs import COST_KEYS, MODEL_COLUMNS, model_rows, sentences
from scripts.result_blocks.text import points
from ser_core import paths
from ser_core.data import CORPUS_NAMES
from ser_core.evaluation import compare_with_baseline, cost_table, markdown_table
from ser_core.training import Experiment, read_experiments

BENCHMARK = paths.RESULTS / "benchmark.json"


def benchmark() -> str:
    """One row for each figure, one for each model, and the comparison with the SVM on each test part."""
    figures = json.loads(BENCHMARK.read_text())
    measured = figures.pop("models", {})
    figures.pop("yardstick", None)
    table = "| measured | |\n|---|---|\n" + "\n".join(f"| {name} | {value:.2f} |" for name, value in figures.items())
    if not measured:
        return table
    models = cost_table({name: {key: m[key] for key in COST_KEYS if key in m} for name, m in measured.items()})
    costs = markdown_table([*MODEL_COLUMNS], [[*row] for row in model_rows(models)])
    comparisons = "\n".join(f"- {sentence}" for sentence in sentences(compare_with_baseline(models)))
    return f"{table}\n\n{costs}\n\n{comparisons}"


def robustness() -> str:
    """UAR of each model under each degradation, and the points lost; a table for each protocol."""
    by_protocol: defaultdict[str, dict[str, dict]] = defaultdict(dict)
    for name, found in json.loads((paths.RESULTS / "robustness.json").read_text()).items():
        by_protocol[found["protocol"]][name] = found["conditions"]
    return "\n\n".join(f"`{protocol}`:\n\n{_robustness_table(models)}" for protocol, models in by_protocol.items())


def _robustness_table(models: dict[str, dict]) -> str:
    """models: name -> condition -> scores."""
    header = ["degradation", *(f"`{name}`: mean UAR % (lost), same label %" for name in models)]
    conditions = dict.fromkeys(name for found in models.values() for name in found)
    rows = [[name, *(_degraded_scores(model.get(name)) for model in models.values())] for name in conditions]
    return markdown_table(header, rows)


def _degraded_scores(values: dict | None) -> str:
    if values is None:
        return "-"
    return f"{points(values['uar'])} ({100 * values['lost']:+.1f}), {100 * values['unchanged']:.0f}"


def non_speech() -> str:
    """Answers of each model to recorded sounds, and their separation from speech."""
    novelty = paths.read_json(paths.RESULTS / "novelty.json")
    measured = {name: found["recorded"] for name, found in novelty.items() if "recorded" in found}
    if not measured:
        return "Not measured yet: python -m scripts.ood --recorded."
    header = ["model", "sounds", "emotion named %", "speech missed %"]
    header += ["AUROC, distance", "AUROC, with speech detection"]
    rows = [
        [
            f"`{name}`",
            str(found["n_sounds"]),
            *(f"{100 * found[key]:.1f}" for key in ("emotion_named", "speech_missed")),
            *(f"{found[key]:.3f}" for key in ("auroc", "auroc_with_vad")),
        ]
        for name, found in measured.items()
    ]
    return markdown_table(header, rows)


def missed_speech() -> str:
    """Clips of each corpus in which no speech is detected, by emotion, and sounds of ESC-50 in which some is."""
    found = paths.read_json(paths.RESULTS / "missed_speech.json")
    if not found:
        return "Not measured yet: python -m scripts.missed_speech."
    rows = [
        [f"`{name}`", str(own["clips"]), *_counted(own["missed"], own["clips"])]
        for name, own in found["corpora"].items()
    ]
    clips = markdown_table(["corpus", "clips", "no speech detected", "%", "emotions"], rows)
    rows = [
        [name, str(own["sounds"]), *_counted(own["detected"], own["sounds"])] for name, own in found["esc50"].items()
    ]
    return f"{clips}\n\n{markdown_table(['ESC-50', 'sounds', 'speech detected', '%', 'classes'], rows)}"


def _counted(counts: dict[str, int], n: int) -> list[str]:
    """Their sum, its percentage of n, and each."""
    total = sum(counts.values())
    each = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
    return [str(total), f"{100 * total / n:.1f}", each or "-"]


def experiments() -> str:
    """The log of experiments, one table for each schedule of a model."""
    kinds = defaultdict(list)
    for experiment in read_experiments():
        kinds[experiment.model, experiment.protocol, experiment.epochs].append(experiment)
    return "\n\n".join(_experiment_table(*kind, found) for kind, found in kinds.items())


def _experiment_table(model: str, protocol: str, epochs: int, found: list[Experiment]) -> str:
    """One row for each variant: the mean over the folds on which all variants were trained."""
    by_variant = defaultdict(dict)
    for experiment in found:
        by_variant[experiment.purpose][experiment.fold] = experiment
    folds = sorted(set.intersection(*(set(runs) for runs in by_variant.values())))
    corpora = list(found[0].dev_uar)
    rows = {name: [runs[fold] for fold in folds] for name, runs in by_variant.items()}
    means = {name: float(np.mean([run.mean_uar for run in runs])) for name, runs in rows.items()}
    header = ["variant", *(f"UAR %, {CORPUS_NAMES[name]}" for name in corpora), "mean of speech", "minutes"]
    table = [
        [
            f"**{name}**" if means[name] == max(means.values()) else name,
            *(points(float(np.mean([run.dev_uar[corpus] for run in runs]))) for corpus in corpora),
            points(means[name]),
            f"{np.mean([run.seconds for run in runs]) / 60:.0f}",
        ]
        for name, runs in rows.items()
    ]
    device = ", ".join(sorted({run.device for run in found}))
    where = f"fold {folds[0]}" if len(folds) == 1 else f"mean of folds {', '.join(folds)}"
    return f"`{model}`, {protocol}, {where}, {epochs} epochs ({device}):\n\n{markdown_table(header, table)}"
