"""Training of networks and of scikit-learn classifiers, with progress bars."""

import argparse
from dataclasses import replace

from scripts.common.bars import tqdm
from scripts.common.tables import clip_bar
from scripts.common.train_head import soft_labels
from ser_core.data import audio_cache_folder, corpora_root
from ser_core.models import MODELS, Calibration, EgemapsClassifier, SERModel, Whisper, load_model, save_model
from ser_core.training import (
    Callbacks,
    TrainConfig,
    TrainingData,
    TrainingRun,
    build_auxiliary_tasks,
    fit,
    fit_classifier,
)


def add_auxiliary_tasks(data: TrainingData, config: TrainConfig) -> TrainingData:
    """The data with the auxiliary tasks of the recipe."""
    if not config.side_tasks:
        return data
    path = audio_cache_folder() / "egemaps.npz"
    with clip_bar("opensmile", len(data.train)) as show:
        tasks = build_auxiliary_tasks(config, data.train, data.store, path, corpora_root, show)
    return replace(data, auxiliary_tasks=tasks)


def fit_network(
    model: SERModel,
    config: TrainConfig,
    data: TrainingData,
    run: TrainingRun,
    options: argparse.Namespace,
    training: dict,
) -> SERModel:
    """Trains with a progress bar; the models of the epochs to keep are saved.

    Args:
        training: provenance for their config.json.
    """
    teachers = [load_model(teacher, options.device) for teacher in options.teachers]
    if len(teachers) == 1 and isinstance(teachers[0], Whisper):
        data, teachers = replace(data, soft_labels=soft_labels(teachers[0], data)), []
    data = add_auxiliary_tasks(data, config)

    def keep(epoch: int, average: SERModel) -> None:
        if epoch in options.keep_epochs:
            save_model(average, run.folder / "epochs" / str(epoch), MODELS[options.model][0], Calibration(), training)

    with tqdm(desc=run.folder.name, unit="step", dynamic_ncols=True) as bar:

        def show(step: int, n_steps: int, loss: float) -> None:
            if bar.total is None:  # steps of a resumed run took no time in this one
                bar.total, bar.n, bar.initial = n_steps, step - 1, step - 1
            bar.update(step - bar.n)
            bar.set_postfix(loss=f"{loss:.3f}", refresh=False)

        return fit(model, config, data, run, teachers, Callbacks(on_step=show, on_epoch=keep))


def fit_on_functionals(model: EgemapsClassifier, data: TrainingData, seed: int) -> dict:
    """Fits a scikit-learn classifier in place; the functionals stay in the cache."""
    with clip_bar("opensmile", len(data.train) + len(data.dev)) as show:
        path = audio_cache_folder() / "egemaps.npz"
        return fit_classifier(model, data.train, data.dev, data.store, path, seed, show)
