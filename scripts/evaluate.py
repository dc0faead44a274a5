"""Measures models on the test part of a protocol; several models hear each recording in one go.

python -m scripts.evaluate resonet                      under the protocol it was trained for; needs SER_CORPORA
python -m scripts.evaluate all --protocol resonet       every checkpoint that may be tested on it
python -m scripts.evaluate runs/x/checkpoint --protocol resonet --write --name my-model

Compares with the recorded result (exit code 1 when a figure differs); --write records it: assets/results/, and for a
checkpoint under its own protocol its metrics.json and model card. Without --write, some recordings may be missing.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from tqdm import tqdm

from scripts.flags import evaluate_parser
from ser_core import paths
from ser_core.audio import AudioError
from ser_core.data import (
    CORPUS_NAMES,
    PROTOCOLS,
    SPEAKER_OVERLAP,
    CorpusError,
    ListenerVotes,
    ProtocolError,
    Utterance,
    corpora_root,
    protocol_folds,
    protocol_split,
    read_corpora,
    read_listener_votes,
    split_name,
)
from ser_core.evaluation import (
    BOOTSTRAP_SEED,
    LEAK_SUFFIX,
    EvaluationResult,
    Metrics,
    PredictionTable,
    ResultError,
    code_version,
    compute_metrics,
    evaluation_sections,
    load_result,
    measure_cost,
    predict_utterances_per_model,
    protocol_sha256,
    render_model_card,
    result_path,
    save_result,
)
from ser_core.labels import EMOTIONS
from ser_core.metrics import format_percent
from ser_core.models import (
    CONFIG_FILE,
    METRICS_FILE,
    CheckpointError,
    SERModel,
    available_models,
    checkpoint_folder,
    load_model,
    save_metrics_and_card,
    weights_sha256,
)

ERRORS = (AudioError, CheckpointError, CorpusError, ProtocolError, ResultError)


@dataclass(frozen=True, eq=False)
class Task:
    """One model and what it is tested on."""

    name: str  # of the result file
    folder: Path
    model: SERModel
    config: dict  # content of config.json
    protocol: str
    fold: str | None
    leak: bool
    command: str

    @property
    def own(self) -> bool:
        """Whether the figures are those that the checkpoint shows of itself."""
        trained_on, shipped = self.config["training"], self.folder.parent == paths.CHECKPOINTS
        same_part = (self.protocol, self.fold) == (trained_on["protocol"], trained_on["fold"])
        return shipped and same_part and not self.leak and self.name == self.folder.name


def task(given: str, name: str | None, options: argparse.Namespace) -> Task:
    """What to do with one of the models that were given, and how its result is to be called.

    Raises:
        CheckpointError: unknown or broken, or without a name for its result.
        ProtocolError: unknown fold, or the model was made with a part of what it would be tested on.
        ResultError: a leak under the name of an honest result.
    """
    folder = checkpoint_folder(given)
    model, config = load_model(folder), json.loads((folder / CONFIG_FILE).read_text())
    trained_on = config.get("training", {})
    if not {"protocol", "fold"} <= trained_on.keys():
        raise ProtocolError(f"{model.name} does not say what it was trained on: it cannot be tested on others.")
    protocol = options.protocol or trained_on["protocol"]
    fold = options.fold or (None if options.protocol else trained_on["fold"])
    leak = leaks(model.name, trained_on, protocol, fold, options.leak)
    if options.write and leak and not (name or folder.name).endswith(LEAK_SUFFIX):
        raise ResultError(
            f"The result of a leak must not take the place of an honest one: --name {folder.name}{LEAK_SUFFIX}"
        )
    if options.write and not name and folder.parent != paths.CHECKPOINTS:
        raise CheckpointError(f"Give the result of {folder.name} a name: --name N. It is not one of checkpoints/.")
    return Task(
        name=name or folder.name,
        folder=folder,
        model=model,
        config=config,
        protocol=protocol,
        fold=fold,
        leak=leak,
        command=_command(given, name, protocol, fold, options.leak),
    )


def leaks(name: str, trained_on: dict, protocol: str, fold: str | None, allowed: bool) -> bool:
    """Whether the model was made with test clips of this protocol.

    Raises:
        ProtocolError: unknown fold, or it was, and that is not allowed.
    """
    wanted = set(protocol_split(protocol, fold).test)
    sources = [trained_on, *trained_on.get("start_trained_on", [])]
    known = [protocol_split(source["protocol"], source["fold"]) for source in sources]
    heard = wanted & {i for parts in known for i in (*parts.train, *parts.dev)}
    if heard and not allowed:
        raise ProtocolError(
            f"{len(heard)} of the {len(wanted)} test clips were in the training or development part of {name} "
            f"({split_name(trained_on['protocol'], trained_on['fold'])}): no figure would be worth anything. "
            "To measure a leak on purpose: --leak"
        )
    return bool(heard)


def _command(given: str, name: str | None, protocol: str, fold: str | None, leak: bool) -> str:
    """The command that makes the result again, without the folders of this machine."""
    what = Path(given).name if Path(given).is_absolute() else given
    flags = [f"--protocol {protocol}", fold is not None and f"--fold {fold}", leak and "--leak"]
    flags += [name and f"--name {name}", "--write"]
    return " ".join(["python -m scripts.evaluate", what, *filter(None, flags)])


def tasks(options: argparse.Namespace) -> list[Task]:
    """All tasks; of `all`, those that can be done: the reason of each other one is printed."""
    if options.models != ["all"]:
        names = options.name or [None] * len(options.models)
        return [task(given, name, options) for given, name in zip(options.models, names, strict=True)]
    found = []
    for name in available_models():
        try:
            found.append(task(name, None, options))
        except (CheckpointError, ProtocolError, ResultError) as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
    if not found:
        raise CheckpointError("No checkpoint can be measured.")
    return found


def recordings(protocol: str, fold: str | None, all_of_them: bool) -> list[Utterance]:
    """The test part of a protocol, as far as it is in the corpora folder; what is missing is printed.

    Raises:
        ProtocolError: all of it is missing, or some when `all_of_them` are wanted.
    """
    there = read_corpora(corpora_root()).utterances
    wanted = set(protocol_split(protocol, fold).test)
    found = [u for u in there if u.id in wanted]
    missing = wanted - {u.id for u in found}
    if missing:
        title = split_name(protocol, fold)
        told = f"Test recordings of {title} that are not in the corpora folder: {_counted(missing, wanted)}."
        if all_of_them or not found:
            raise ProtocolError(f"{told} {_possible({u.id for u in there}, len(found))}")
        print(told)
    return found


def _counted(missing: set[str], wanted: set[str]) -> str:
    """ "SAVEE 5 of 120, TESS 1400 of 1400"."""
    n_missing, n_wanted = (Counter(i.split("/")[0] for i in ids) for ids in (missing, wanted))
    return ", ".join(f"{CORPUS_NAMES[c]} {n_missing[c]} of {n_wanted[c]}" for c in CORPUS_NAMES if n_missing[c])


def _possible(there: set[str], n_found: int) -> str:
    parts = [(protocol, fold) for protocol in PROTOCOLS for fold in protocol_folds(protocol) or (None,)]
    whole = [split_name(*part) for part in parts if there.issuperset(protocol_split(*part).test)]
    partial = f" Without --write, the {n_found} that are there can be measured." if n_found else ""
    return f"Complete test parts: {', '.join(whole) or 'none'}.{partial}"


def votes(utterances: Sequence[Utterance]) -> ListenerVotes | None:
    """The listeners' votes; a missing file is told where there are clips that have some."""
    found = read_listener_votes(corpora_root(), EMOTIONS)
    if found is None and any(u.corpus == "crema_d" for u in utterances):
        print("crema_d/voice_votes.csv is not in the corpora folder: no figure against the listeners' votes.")
    return found


def print_table(metrics: Metrics) -> None:
    """One line a corpus: clips, speakers, and each measure in percent with its 95 % interval over speakers."""
    print(f"{'':<14}{'clips':>6}{'speakers':>9}   {'UAR':<20}{'macro-F1':<20}{'accuracy':<20}")
    rows = [*metrics.corpora.items(), ("pooled", metrics.pooled), ("six emotions", metrics.common_pooled)]
    for name, s in rows:
        if s:
            scores = ((s.uar, s.uar_ci), (s.macro_f1, s.macro_f1_ci), (s.accuracy, s.accuracy_ci))
            cells = (format_percent(value, interval).ljust(20) for value, interval in scores)
            print(f"{name:<14}{s.n_clips:>6}{s.n_speakers:>9}   {''.join(cells)}")
    print(f"pooled: {', '.join(CORPUS_NAMES[c] for c in metrics.pooled_corpora)}")
    if metrics.common_accuracy_mean is not None:
        print(f"six emotions, accuracy averaged over corpora: {100 * metrics.common_accuracy_mean:.1f}")
    for when in ("before", "after"):
        c = getattr(metrics.calibration, when)
        print(f"{when:>6} temperature: ECE {c.ece:.3f}, NLL {c.nll:.3f}, Brier {c.brier:.3f}, AURC {c.aurc:.3f}")
    if v := metrics.votes:
        print(f"against the listeners' votes: {v.nll:.3f} nats, at best {v.entropy_floor:.3f} ({v.n_clips} clips)")
    answered, right = 100 * metrics.coverage, 100 * metrics.accuracy_when_answered
    print(f"answered {answered:.1f} % of the clips, of these {right:.1f} % right")


def write(done: Task, answers: PredictionTable, metrics: Metrics) -> None:
    """The result file; for a checkpoint under its own protocol also what it shows of itself."""
    trained_on = {key: done.config["training"][key] for key in ("protocol", "fold")}
    result = EvaluationResult(
        model=done.name,
        family=done.config["family"],
        protocol=done.protocol,
        fold=done.fold,
        trained_on=trained_on,
        leak=done.leak,
        provenance={
            "command": done.command,
            "training_seed": done.config["training"].get("recipe", {}).get("seed"),
            "bootstrap_seed": BOOTSTRAP_SEED,
            "protocol_sha256": protocol_sha256(done.protocol),
            "weights_sha256": weights_sha256(done.folder, done.model),
            "code_version": code_version(),
        },
        metrics=metrics.to_dict(),
        cost=measured_cost(done),
        answers=answers,
    )
    path = save_result(result)
    print(f"written: {path.parent.name}/{path.name}")
    if done.own:
        own = own_metrics(result)
        more = evaluation_sections(done.name)
        save_metrics_and_card(
            done.folder, own, render_model_card(done.name, done.config, own, done.model.n_parameters(), more)
        )


def measured_cost(done: Task) -> dict:
    """Parameters, multiply-accumulates, size and latency; fractions to 2 places."""
    found = asdict(measure_cost(done.model, done.folder))
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in found.items()}


def own_metrics(result: EvaluationResult) -> dict:
    """The content of a checkpoint's metrics.json."""
    return {"protocol": result.protocol, "fold": result.fold} | result.metrics


def compare(done: Task, answers: PredictionTable, metrics: Metrics, known_votes: ListenerVotes | None) -> bool:
    """Says whether the recorded figures came out again, on the recordings that are there."""
    path = result_path(split_name(done.protocol, done.fold), done.name)
    title = f"{path.parent.name}/{path.name}"
    if not path.is_file():
        print(f"There is no result {title} to compare with.")
        return True
    recorded, own_path = load_result(path), done.folder / METRICS_FILE
    expected, measured = recorded.metrics, _plain(metrics.to_dict())
    if len(recorded.answers.utterances) != len(answers.utterances):
        there = {u.id for u in answers.utterances}
        expected = _plain(compute_metrics(recorded.answers.select(lambda u: u.id in there), known_votes).to_dict())
    if known_votes is None:
        expected = expected | {"votes": None}
    equal = _told(title, expected, measured)
    if done.own:
        shown = json.loads(own_path.read_text()) if own_path.is_file() else {}
        equal &= _told(f"{done.folder.name}/{METRICS_FILE}", shown, own_metrics(recorded))
    return equal


def _told(title: str, recorded: dict, measured: dict) -> bool:
    before, now = dict(_leaves(recorded)), dict(_leaves(measured))
    changed = [name for name in now if now[name] != before.get(name)]
    if recorded == measured:
        print(f"equal to {title}")
        return True
    print(f"DIFFERENT FROM {title}")
    for name in changed[:5]:
        print(f"  {name}: {before.get(name, 'nothing')} recorded, {now[name]} measured")
    return False


def _leaves(value, name: str = ""):
    """("pooled.uar", 0.5) and so on."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}".lstrip("."))
    else:
        yield name, value


def _plain(values: dict) -> dict:
    """As JSON gives it back."""
    return json.loads(json.dumps(values))


def run(todo: list[Task], writing: bool) -> bool:
    """Measures models on one test part; False when a recorded figure did not come out again."""
    first = todo[0]
    utterances = recordings(first.protocol, first.fold, all_of_them=writing)
    known_votes, equal = votes(utterances), True
    title = split_name(first.protocol, first.fold)
    with tqdm(total=len(utterances), unit="clip", desc=title) as bar:
        found = predict_utterances_per_model(
            [t.model for t in todo], utterances, lambda n_done: bar.update(n_done - bar.n)
        )
    for done, answers in zip(todo, found, strict=True):
        metrics = compute_metrics(answers, known_votes)
        print(f"\n{done.name} on {title}")
        print_table(metrics)
        if done.leak:
            print("LEAK: a part of these recordings was trained on; this is no result.")
        elif done.protocol in SPEAKER_OVERLAP:
            print(f"This protocol {SPEAKER_OVERLAP[done.protocol]} between training and test.")
        if writing:
            write(done, answers, metrics)
        else:
            equal &= compare(done, answers, metrics, known_votes)
    return equal


def main(arguments: list[str] | None = None) -> int:
    parser = evaluate_parser()
    options = parser.parse_args(arguments)
    if options.name and (
        options.models == ["all"]
        or len(options.models) != len(options.name)
        or any(Path(name).name != name for name in options.name)
    ):
        parser.error("--name wants one plain name for each model")
    try:
        groups: dict[tuple[str, str | None], list[Task]] = {}
        for found in tasks(options):
            groups.setdefault((found.protocol, found.fold), []).append(found)
        equal = [run(group, options.write) for group in groups.values()]
    except ERRORS as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if all(equal) else 1


if __name__ == "__main__":
    sys.exit(main())
