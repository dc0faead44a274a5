"""The log of experiments: what is read is what was written, and only like is compared with like."""

import json
from dataclasses import replace

import pytest

from ser_core import paths
from ser_core.models.registry import MODELS
from ser_core.training.experiments import (
    MODEL_PREFIX,
    Experiment,
    append_experiment,
    is_best_of_kind,
    last_epoch_metrics,
    mean_dev_uar,
    read_experiments,
)
from ser_core.training.recipes import override_config, recipe_for_model

FIRST = Experiment(
    *("start", "resonet", "speaker-independent", "0", 4, 0),
    changes={"augment.warp": 0.2},
    dev_uar={"ravdess": 0.4, "crema_d": 0.5, "ravdess_song": 0.9},
    seconds=12.5,
    kept=True,
)


def test_what_is_read_is_what_was_written(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "EXPERIMENT_LOG", tmp_path / "log.jsonl")
    assert read_experiments() == ()
    written = (FIRST, replace(FIRST, purpose="again", kept=False))
    for experiment in written:
        append_experiment(experiment)
    assert read_experiments() == written


def test_song_does_not_count():
    assert FIRST.mean_uar == pytest.approx(0.45)


def test_the_mean_of_an_epoch_is_over_all_corpora_of_speech():
    uars = {"dev_uar_crema_d": 0.4, "dev_uar_hindi": 0.2, "dev_uar_ravdess_song": 0.9}
    assert mean_dev_uar(uars | {"loss": 1.0}) == pytest.approx(0.3)
    assert mean_dev_uar({"dev_uar_ravdess_song": 0.9}) is None and mean_dev_uar({"loss": 1.0}) is None


def test_only_experiments_of_one_kind_are_compared():
    better = replace(FIRST, dev_uar={"ravdess": 0.5, "crema_d": 0.5})
    worse = replace(FIRST, dev_uar={"ravdess": 0.4, "crema_d": 0.49})
    assert is_best_of_kind(better, [FIRST]) and not is_best_of_kind(worse, [FIRST])
    assert not is_best_of_kind(FIRST, [FIRST])
    assert is_best_of_kind(worse, [replace(FIRST, epochs=8), replace(FIRST, fold="1")])
    assert is_best_of_kind(worse, [])


def test_metrics_of_the_last_epoch(tmp_path):
    lines = [{"epoch": i, "seconds": 2.0 * i, "dev_uar_tess": 0.1 * i, "dev_confusion": {}} for i in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    uars, seconds = last_epoch_metrics(tmp_path / "metrics.jsonl")
    assert uars == {"tess": pytest.approx(0.3)} and seconds == 12.0


@pytest.mark.skipif(not paths.EXPERIMENT_LOG.is_file(), reason="no experiment has been logged yet")
def test_the_committed_log_can_be_repeated():
    """Every change in it is still one that can be asked for, and the verdicts follow from the figures."""
    earlier = []
    for experiment in read_experiments():
        config, architecture = recipe_for_model(experiment.model), MODELS[experiment.model][1]
        for name, value in experiment.changes.items():
            if name.startswith(MODEL_PREFIX):
                architecture = override_config(architecture, name.removeprefix(MODEL_PREFIX), value)
            else:
                config = override_config(config, name, value)
        assert experiment.kept == is_best_of_kind(experiment, earlier), experiment.purpose
        earlier.append(experiment)
