"""Trains a model under a protocol; the result is runs/<run>/checkpoint, calibrated on the development speakers.

python -m scripts.prepare_corpora                                              first, once: needs SER_CORPORA
python -m scripts.train resonet --protocol speaker-independent --fold 0
python -m scripts.train resonet --protocol speaker-independent --fold 0 --resume
python -m scripts.train wav2vec2 --start facebook/wav2vec2-base --protocol resonet
python -m scripts.train resonet --protocol resonet --recipe checkpoints/resonet     with the recipe of that checkpoint
python -m scripts.train prosonet --fold 0 --teachers runs/a/checkpoint runs/b/checkpoint --set distillation=0.5
python -m scripts.train resonet --fold 0 --keep-epochs 1 8 26                       for the embedding map
python -m scripts.train resonet --fold 0 --folder my-recordings --map joy=happy     with recordings of your own
python -m scripts.train whisper --protocol left-out --fold tess               a head on a frozen encoder
python -m scripts.train whisper --fold 0 --set model.tuned_layers=[3,4,5] model.lora_rank=8    with tuned layers
python -m scripts.distill --fold 0                                            prosonet as shipped, with its teachers

To publish it: cp -r runs/<run>/checkpoint checkpoints/<name>; python -m scripts.evaluate <name> --write
"""

import argparse
import shlex
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch

from scripts.common.errors import explains
from scripts.common.fitting import fit_network, fit_on_functionals
from scripts.common.flags import train_parser
from scripts.common.folders import check_decoded, read_folders
from scripts.common.tables import share_bars
from scripts.common.train_head import train_head
from ser_core import paths
from ser_core.data import (
    CORPUS_NAMES,
    AudioStore,
    CorpusError,
    ProtocolError,
    StoreError,
    Utterance,
    content_digest,
    corpora_root,
    protocol_split,
    read_corpora,
)
from ser_core.evaluation import export_checkpoint
from ser_core.models import MODELS, CheckpointError, DeviceError, SERModel, usable_device
from ser_core.training import (
    CURVE_FILE,
    Experiment,
    TrainConfig,
    TrainingData,
    TrainingError,
    TrainingExample,
    TrainingRun,
    changed_settings,
    check_complete,
    check_start_split,
    check_teacher_split,
    head_recipe,
    initial_model,
    last_epoch_metrics,
    log_experiment,
    model_architecture,
    read_training_data,
    start_history,
    start_name,
    training_recipe,
)

ERRORS = (CheckpointError, CorpusError, DeviceError, ProtocolError, StoreError, TrainingError)
INTERRUPTED = 130  # exit code after Ctrl-C
NETWORK_FLAGS = ("recipe", "teachers", "float32", "mfcc", "log", "keep_epochs")
UNUSED_FLAGS = {"whisper": NETWORK_FLAGS, "egemaps": (*NETWORK_FLAGS, "epochs")}
"""Family -> flags that its training has no use for: heads on a frozen encoder, and scikit-learn."""
KEPT = {
    "whisper": "the encoder's outputs so far are in the cache",
    "egemaps": "the functionals so far are in the cache",
}
"""Family -> what Ctrl-C leaves; of other families, finished epochs."""


def overrides(options: argparse.Namespace) -> dict[str, object]:
    """Settings that the flags change, see override_config; --set has priority."""
    flags = {"epochs": options.epochs, "seed": options.seed, "bf16": False if options.float32 else None}
    return {name: value for name, value in flags.items() if value is not None} | dict(options.set)


def reproducing_command(arguments: list[str]) -> str:
    """Command that repeats a run from the start."""
    return shlex.join(["python", "-m", "scripts.train", *(word for word in arguments if word != "--resume")])


def run_name(options: argparse.Namespace) -> str:
    """Name of the folder below runs/."""
    seed = f"seed{options.seed}" if options.seed is not None else None
    return options.run or "-".join(filter(None, (options.model, options.protocol, options.fold, seed)))


def provenance(options: argparse.Namespace, data: TrainingData, recipe: dict) -> dict:
    """The "training" entry of the checkpoint's config.json."""
    training = {"protocol": options.protocol, "fold": options.fold, "n_clips": len(data.train), "recipe": recipe}
    if options.start:
        training |= {"start": start_name(options.start), "start_trained_on": start_history(options.start)}
    if own := [clip for clip in data.train if clip.corpus not in CORPUS_NAMES]:
        training["folders"] = dict(Counter(clip.corpus for clip in own))
        training["folder_clips"] = " ".join(sorted({content_digest(clip.id) for clip in own}))  # one line of the file
    if options.teachers:
        training["teachers"] = [start_name(teacher) for teacher in options.teachers]
        training["teachers_trained_on"] = start_history(*options.teachers)
    return training


def export(model: SERModel, family: str, folder: Path, data: TrainingData, training: dict) -> None:
    """Saves the calibrated checkpoint; one progress bar per stage."""
    utterances = read_corpora(corpora_root()).utterances if data.dev else ()
    with share_bars() as show:
        export_checkpoint(model, family, folder, data, utterances, training, show)
    if (curve := folder.parent / CURVE_FILE).is_file():  # of a network
        paths.write_text(folder / CURVE_FILE, curve.read_text())
    print(f"{folder} is ready. Evaluate it: python -m scripts.evaluate {shlex.quote(str(folder))}")


def log(options: argparse.Namespace, recipe: TrainConfig, folder: Path) -> None:
    """Adds the run to the log of experiments and prints the verdict."""
    architecture = model_architecture(options.model, overrides(options), options.mfcc)  # as asked
    dev_uar, seconds = last_epoch_metrics(folder / CURVE_FILE)
    experiment = log_experiment(
        Experiment(
            purpose=options.log,
            model=options.model,
            protocol=options.protocol,
            fold=options.fold,
            epochs=recipe.epochs,
            seed=recipe.seed,
            changes=changed_settings(options.model, recipe, architecture),
            dev_uar=dev_uar,
            seconds=seconds,
            device=torch.cuda.get_device_name() if options.device.startswith("cuda") else options.device,
        )
    )
    verdict = "the best of its kind so far" if experiment.kept else "not better than before"
    print(f"logged: mean development UAR {100 * experiment.mean_uar:.1f} %, {verdict}")


def with_folders(data: TrainingData, own: Sequence[Utterance]) -> TrainingData:
    """The data with recordings of one's own in the training part.

    Raises:
        FileNotFoundError: they are not decoded.
    """
    check_decoded(own, data.store)
    return replace(data, train=[*data.train, *(TrainingExample(u.id, u.corpus, u.emotion, u.speaker) for u in own)])


def check_flags(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Ends the program if the model has no use for a flag, or the flags do not fit together."""
    unused = [name for name in UNUSED_FLAGS.get(MODELS[options.model][0], ()) if getattr(options, name)]
    if unused:
        flags = ", ".join("--" + name.replace("_", "-") for name in unused)
        parser.error(f"{options.model} is trained without {flags}: leave it out")
    if options.run and (options.run == ".." or options.run != (paths.RUNS / options.run).name):
        parser.error(f"--run {options.run}: give a plain name, that of a folder below runs/")


def train(options: argparse.Namespace, command: str) -> None:
    """Checks, trains, calibrates and exports one model.

    Raises:
        one of ERRORS, or OSError.
    """
    folder = paths.RUNS / run_name(options)
    run = TrainingRun(folder, options.resume, start_name(options.start) if options.start else "", command)
    if MODELS[options.model][0] == "whisper":
        head = head_recipe(overrides(options))
        model, data = initial_state(options, head.seed)
        training = provenance(options, data, asdict(head))
        return train_head(model, run, data, head, training)
    config = training_recipe(options.model, overrides(options), options.recipe)
    if beyond := [epoch for epoch in options.keep_epochs if epoch > config.epochs]:
        raise TrainingError(f"--keep-epochs {beyond[0]}: the training has {config.epochs} epochs. Name one of them.")
    model, data = initial_state(options, config.seed)
    if not model.is_neural:
        run.check_new()
        recipe = fit_on_functionals(model, data, config.seed)
    else:
        recipe = asdict(config)
        model = fit_network(model, config, data, run, options, provenance(options, data, recipe))
        if options.log:
            log(options, config, folder)
    export(model, MODELS[options.model][0], folder / "checkpoint", data, provenance(options, data, recipe))


def initial_state(options: argparse.Namespace, seed: int) -> tuple[Any, TrainingData]:
    """The model before training, and its data, after all checks."""
    split = protocol_split(options.protocol, options.fold)
    check_start_split(options.start, split)
    for teacher in options.teachers:
        check_teacher_split(teacher, options.protocol, options.fold)
    own = read_folders(options)
    store = AudioStore()
    if not options.partial:
        check_complete(options.protocol, store)
    data = with_folders(read_training_data(options.protocol, split, store), own)
    torch.manual_seed(seed)
    architecture = model_architecture(options.model, overrides(options), options.mfcc)
    return initial_model(options.model, architecture, options.start).to(options.device), data


@explains(*ERRORS)
def main(arguments: list[str] | None = None) -> int:
    parser = train_parser()
    options = parser.parse_args(arguments)
    check_flags(parser, options)
    try:
        options.device = usable_device(options.device)
        train(options, reproducing_command(sys.argv[1:] if arguments is None else arguments))
    except KeyboardInterrupt:
        kept = KEPT.get(MODELS[options.model][0], f"all finished epochs are in runs/{run_name(options)}")
        print(f"Interrupted; {kept}. Continue with --resume.", file=sys.stderr)
        return INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
