"""Trains a model under a protocol; the result is runs/<run>/checkpoint, calibrated on the development speakers.

python -m scripts.prepare_corpora                                              first, once: needs SER_CORPORA
python -m scripts.train resonet --protocol speaker-independent --fold 0
python -m scripts.train resonet --protocol speaker-independent --fold 0 --resume
python -m scripts.train wav2vec2 --start facebook/wav2vec2-base --protocol resonet
python -m scripts.train resonet --protocol resonet --recipe checkpoints/resonet     by the recipe of that checkpoint
python -m scripts.train prosonet --fold 0 --teachers runs/a/checkpoint runs/b/checkpoint --set distillation=0.5
python -m scripts.train resonet --fold 0 --keep-epochs 1 8 26                       to see them on the embedding map
python -m scripts.distill --fold 0                                            prosonet as it ships, its teachers included

To hand it in: cp -r runs/<run>/checkpoint checkpoints/<name>; python -m scripts.evaluate <name> --write
"""

import argparse
import json
import shlex
import shutil
import sys
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import torch
from tqdm import tqdm

from scripts.flags import MODEL_PREFIX, train_parser
from ser_core.data import (
    CORPUS_NAMES,
    PROTOCOLS,
    SPEECH_CORPORA,
    AudioStore,
    CorpusError,
    ProtocolError,
    ProtocolSplit,
    audio_cache_folder,
    corpora_root,
    protocol_split,
    read_corpora,
    read_protocol,
)
from ser_core.evaluation import PredictionTable, fit_calibration, predict_utterances, read_listener_votes, split_name
from ser_core.inference import clip_windows, run_windows
from ser_core.labels import EMOTIONS
from ser_core.models import (
    CONFIG_FILE,
    MODEL_FAMILIES,
    MODELS,
    Calibration,
    CheckpointError,
    EgemapsClassifier,
    ModelConfig,
    NoveltyDetector,
    SERModel,
    build_model,
    fit_novelty_detector,
    load_model,
    save_model,
)
from ser_core.training import (
    AuxiliaryTask,
    Experiment,
    TrainConfig,
    TrainingError,
    TrainingExample,
    append_experiment,
    checkpoint_recipe,
    config_overrides,
    fit,
    fit_classifier,
    functionals_task,
    is_best_of_kind,
    last_epoch_metrics,
    override_config,
    read_experiments,
    recipe_for_model,
)

WITHOUT_NOVELTY = ("egemaps", "wav2vec2")  # no embedding of its own; one of a size that would not pay


def clips(ids: tuple[str, ...], protocol: str, store: AudioStore) -> list[TrainingExample]:
    """The clips of one part that are in the store."""
    known = {row["utterance"]: row for row in read_protocol(protocol)}
    return [TrainingExample(i, known[i]["corpus"], known[i]["emotion"]) for i in ids if i in store]


def holes(protocol: str, store: AudioStore) -> str:
    """Which recordings of a protocol are not in the store: "CREMA-D (3 of 7435), SAVEE (480 of 480)"; "" when none."""
    rows = read_protocol(protocol)
    wanted = Counter(row["corpus"] for row in rows)
    missing = Counter(row["corpus"] for row in rows if row["utterance"] not in store)
    return ", ".join(f"{CORPUS_NAMES[corpus]} ({n} of {wanted[corpus]})" for corpus, n in missing.items())


def refuse_holes(protocol: str, store: AudioStore) -> None:
    """Raises TrainingError when recordings of the protocol are missing; it says what can be trained without them."""
    if missing := holes(protocol, store):
        whole = ", ".join(name for name in PROTOCOLS if not holes(name, store)) or "none"
        raise TrainingError(
            f"Recordings of protocol {protocol!r} are missing: {missing}. Add them to SER_CORPORA and run "
            f"python -m scripts.prepare_corpora, or train on the rest with --partial. Complete here: {whole}."
        )


def config_of(options: argparse.Namespace) -> ModelConfig:
    """The config that belongs to the name, with what the flags change.

    Raises:
        TrainingError: a field that does not exist, or a value of another type.
    """
    config = MODELS[options.model][1]
    if options.mfcc:
        config = replace(config, frontend=replace(config.frontend, n_mfcc=13, deltas=2))
    for name, value in options.set:
        if name.startswith(MODEL_PREFIX):
            config = override_config(config, name.removeprefix(MODEL_PREFIX), value)
    return config


def new_model(name: str, config: ModelConfig, start: str | None) -> SERModel:
    """Random weights, or those of `start`.

    Raises:
        TrainingError: start weights that are needed, refused or do not fit.
    """
    try:
        if start is None:
            return build_model(name, config)
        return MODEL_FAMILIES[MODELS[name][0]][0].from_pretrained_weights(config, start)
    except ValueError as error:
        raise TrainingError(str(error)) from None


def start_name(start: str) -> str:
    """What a checkpoint may say of its start: the name on a hub, or the last part of a path, or the name of a run."""
    path = Path(start)
    if not path.exists():
        return start
    return path.resolve().parent.name if path.name == "checkpoint" else path.resolve().name


def start_trained_on(start: str | None) -> list[dict]:
    """Protocol and fold of every training that start weights went through here; none for published ones."""
    path = Path(start or "")
    file = (path if path.is_dir() else path.parent) / CONFIG_FILE
    if not start or not path.exists() or not file.is_file():
        return []
    training = json.loads(file.read_text()).get("training", {})
    own = [{key: training[key] for key in ("protocol", "fold")}] if "protocol" in training else []
    return own + training.get("start_trained_on", [])


def refuse_leak(start: str | None, parts: ProtocolSplit) -> None:
    """Raises TrainingError when start weights were made with clips that are to be tested."""
    for source in start_trained_on(start):
        known = protocol_split(source["protocol"], source["fold"])
        if heard := {*known.train, *known.dev} & {*parts.test}:
            raise TrainingError(
                f"{start} was made with {len(heard)} of the {len(parts.test)} test clips, under "
                f"{split_name(source['protocol'], source['fold'])}: every figure would be a leak. Start from weights "
                "that were trained under the protocol and fold of this run, or from none."
            )


def refuse_stranger(teacher: str, protocol: str, fold: str | None) -> None:
    """Raises TrainingError when a teacher learned from another part of the clips: it may know those to be tested."""
    if {"protocol": protocol, "fold": fold} not in start_trained_on(teacher)[:1]:
        raise TrainingError(
            f"{teacher} was not trained under {split_name(protocol, fold)}: what it says could hold test clips. "
            "Give teachers that were trained under the protocol and fold of this run."
        )


def heard(model: SERModel, clips: list[TrainingExample]) -> PredictionTable:
    """What the model says of the recordings of these clips."""
    wanted = {clip.id for clip in clips}
    utterances = [u for u in read_corpora(corpora_root()).utterances if u.id in wanted]
    with tqdm(desc="calibrate", total=len(utterances), unit="clip") as bar:
        return predict_utterances(model, utterances, lambda n_done: bar.update(n_done - bar.n))


def known_ground(
    model: SERModel, train: list[TrainingExample], unseen: list[TrainingExample], store: AudioStore
) -> NoveltyDetector:
    """Where the training clips lie in the embedding, and how far from them the speech of others does."""
    parts = []
    for name, clips in (("learned from", train), ("unseen", unseen)):
        windows = [window for clip in clips for window in clip_windows(model, store.trimmed(clip.id))]
        with tqdm(desc=name, total=1.0, bar_format="{l_bar}{bar}| {elapsed}") as bar:
            parts.append(run_windows(model, windows, lambda share, bar=bar: bar.update(share - bar.n)).embeddings)
    return fit_novelty_detector(*parts)


def ship(
    model: SERModel,
    family: str,
    folder: Path,
    train: list[TrainingExample],
    dev: list[TrainingExample],
    store: AudioStore,
    training: dict,
) -> None:
    """Saves the checkpoint, calibrated on the development speakers as the app will use it: in half precision.

    What is not calibrated yet lies in a folder of its own: an interruption leaves no checkpoint that looks finished.
    """
    calibration, novelty = Calibration(), None
    if dev:
        draft = folder.with_name("uncalibrated")
        save_model(model, draft, family, calibration, training)
        half = load_model(draft, "cpu")
        speech = [clip for clip in dev if clip.corpus in SPEECH_CORPORA]  # people speak to the app
        calibration = fit_calibration(heard(half, speech))
        novelty = known_ground(half, train, speech, store) if family not in WITHOUT_NOVELTY else None
        shutil.rmtree(draft)
    save_model(model, folder, family, calibration, training, novelty)
    print(f"{folder} is ready. Measure it: python -m scripts.evaluate {folder}")


def side_tasks(config: TrainConfig, train: list[TrainingExample], store: AudioStore) -> list[AuxiliaryTask]:
    """What the recipe asks besides the emotion.

    Raises:
        TrainingError: a task that does not exist, or one whose values cannot be had.
    """
    makers = {"functionals": _functionals_task, "votes": _votes_task}
    if unknown := config.side_tasks.keys() - makers.keys():
        raise TrainingError(f"Unknown side task {', '.join(sorted(unknown))}. There are: {', '.join(makers)}.")
    return [makers[name](train, store) for name in config.side_tasks]


def _functionals_task(train: list[TrainingExample], store: AudioStore) -> AuxiliaryTask:
    with tqdm(desc="opensmile", total=len(train), unit="clip") as bar:
        path = audio_cache_folder() / "egemaps.npz"
        return functionals_task(train, store, path, lambda n_done: bar.update(n_done - bar.n))


def _votes_task(train: list[TrainingExample], store: AudioStore) -> AuxiliaryTask:
    votes = read_listener_votes(corpora_root(), EMOTIONS)
    if votes is None:
        raise TrainingError("The side task of votes needs crema_d/voice_votes.csv in the corpora folder.")
    return AuxiliaryTask("votes", {clip.id: votes[clip.id] for clip in train if clip.id in votes}, distribution=True)


def fit_network(model, train, dev, store, config: TrainConfig, folder: Path, resume: bool, **more) -> SERModel:
    """training.fit with a progress bar."""
    tasks = side_tasks(config, train, store)
    with tqdm(desc=folder.name, unit="step", dynamic_ncols=True) as bar:

        def show(step: int, n_steps: int, loss: float) -> None:
            if bar.total is None:  # steps of a resumed run took no time in this one
                bar.total, bar.n, bar.initial = n_steps, step - 1, step - 1
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

        return fit(model, train, dev, store, config, folder, resume, show, auxiliary_tasks=tasks, **more)


def fit_on_functionals(
    model: SERModel, train: list[TrainingExample], dev: list[TrainingExample], store: AudioStore, seed: int
) -> dict:
    """Fits a classifier of scikit-learn in place; what opensmile computed stays in the cache for the next one."""
    with tqdm(desc="opensmile", total=len(train) + len(dev), unit="clip") as bar:
        path = audio_cache_folder() / "egemaps.npz"
        return fit_classifier(model, train, dev, store, path, seed, lambda n_done: bar.update(n_done - bar.n))


def command_of(arguments: list[str]) -> str:
    """What makes a run again."""
    return shlex.join(["python", "-m", "scripts.train", *(word for word in arguments if word != "--resume")])


def chosen_recipe(options: argparse.Namespace) -> TrainConfig:
    """The model's own recipe, or that of a checkpoint, with what the flags change.

    Raises:
        TrainingError: the checkpoint has none, a field that does not exist, or a value of another type.
    """
    config = checkpoint_recipe(options.recipe) if options.recipe else recipe_for_model(options.model)
    flags = {"epochs": options.epochs, "seed": options.seed, "bf16": False if options.float32 else None}
    config = replace(config, **{name: value for name, value in flags.items() if value is not None})
    for name, value in options.set:
        if not name.startswith(MODEL_PREFIX):
            config = override_config(config, name, value)
    return config


def log_experiment(options: argparse.Namespace, recipe: TrainConfig, config: ModelConfig, folder: Path) -> None:
    """Adds the run to the log of experiments and says whether it was worth it."""
    base = replace(recipe_for_model(options.model), epochs=recipe.epochs, seed=recipe.seed)
    model_changes = config_overrides(config, MODELS[options.model][1])
    dev_uar, seconds = last_epoch_metrics(folder / "metrics.jsonl")
    kind = (options.model, options.protocol, options.fold, recipe.epochs)
    experiment = Experiment(
        *(options.log, *kind, recipe.seed),
        changes=config_overrides(recipe, base) | {MODEL_PREFIX + name: v for name, v in model_changes.items()},
        dev_uar=dev_uar,
        seconds=seconds,
        kept=is_best_of_kind(dev_uar, kind, read_experiments()),
        device=torch.cuda.get_device_name() if options.device.startswith("cuda") else options.device,
    )
    append_experiment(experiment)
    verdict = "the best of its kind so far" if experiment.kept else "not better than before"
    print(f"logged: mean development UAR {100 * experiment.mean_uar:.1f} %, {verdict}")


def main(arguments: list[str] | None = None) -> int:
    options = train_parser().parse_args(arguments)
    options.device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    seed = f"seed{options.seed}" if options.seed is not None else None
    name = options.run or "-".join(filter(None, (options.model, options.protocol, options.fold, seed)))
    start = start_name(options.start) if options.start else ""
    try:
        config = chosen_recipe(options)
        parts = protocol_split(options.protocol, options.fold)
        refuse_leak(options.start, parts)
        for teacher in options.teachers:
            refuse_stranger(teacher, options.protocol, options.fold)
        store = AudioStore()
        if not options.partial:
            refuse_holes(options.protocol, store)
        train, dev = (clips(ids, options.protocol, store) for ids in (parts.train, parts.dev))
        torch.manual_seed(config.seed)
        model_config = config_of(options)
        model = new_model(options.model, model_config, options.start).to(options.device)
        folder = Path("runs") / name

        def keep(epoch: int, average: SERModel) -> None:
            if epoch in options.keep_epochs:
                known = {"protocol": options.protocol, "fold": options.fold}
                save_model(average, folder / "epochs" / str(epoch), MODELS[options.model][0], Calibration(), known)

        if isinstance(model, EgemapsClassifier):
            fitted, recipe = model, fit_on_functionals(model, train, dev, store, config.seed)
        else:
            recipe = asdict(config)
            teachers = [load_model(teacher, options.device) for teacher in options.teachers]
            command = command_of(sys.argv[1:] if arguments is None else arguments)
            more = {"start": start, "command": command, "teachers": teachers, "on_epoch": keep}
            fitted = fit_network(model, train, dev, store, config, folder, options.resume, **more)
            if options.log:
                log_experiment(options, config, model_config, folder)
        training = {"protocol": options.protocol, "fold": options.fold, "n_clips": len(train), "recipe": recipe}
        if start:
            training |= {"start": start, "start_trained_on": start_trained_on(options.start)}
        if options.teachers:
            training["teachers"] = [start_name(teacher) for teacher in options.teachers]
        ship(fitted, MODELS[options.model][0], folder / "checkpoint", train, dev, store, training)
    except (CheckpointError, CorpusError, ProtocolError, TrainingError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"Interrupted; everything up to the last epoch is in runs/{name}. Go on with --resume.", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
