"""The log of experiments: what is read is what was written, and only like is compared with like."""

import json
from dataclasses import replace

import pytest

from ser_core.experiments import LOG, Experiment, append, is_better, last_epoch, read
from ser_core.models import MODELS
from ser_core.recipes import changed, recipe

FIRST = Experiment(
    *("start", "resonet", "speaker-independent", "0", 4, 0),
    changes={"augment.warp": 0.2},
    dev_uar={"ravdess": 0.4, "crema_d": 0.5, "ravdess_song": 0.9},
    seconds=12.5,
    kept=True,
)


def test_what_is_read_is_what_was_written(tmp_path):
    log = tmp_path / "log.jsonl"
    assert read(log) == ()
    written = (FIRST, replace(FIRST, said="again", kept=False))
    for experiment in written:
        append(experiment, log)
    assert read(log) == written


def test_song_does_not_count():
    assert FIRST.mean_uar == pytest.approx(0.45)


def test_only_experiments_of_one_kind_are_compared():
    better, worse = {"ravdess": 0.5, "crema_d": 0.5}, {"ravdess": 0.4, "crema_d": 0.49}
    assert is_better(better, FIRST.kind, [FIRST]) and not is_better(worse, FIRST.kind, [FIRST])
    assert not is_better(FIRST.dev_uar, FIRST.kind, [FIRST])
    assert is_better(worse, FIRST.kind, [replace(FIRST, epochs=8), replace(FIRST, fold="1")])
    assert is_better(worse, FIRST.kind, [])


def test_what_a_run_says_of_its_last_epoch(tmp_path):
    lines = [{"epoch": i, "seconds": 2.0 * i, "dev_uar_tess": 0.1 * i, "dev_confusion": {}} for i in (1, 2, 3)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)))
    uars, seconds = last_epoch(tmp_path / "metrics.jsonl")
    assert uars == {"tess": pytest.approx(0.3)} and seconds == 12.0


@pytest.mark.skipif(not LOG.is_file(), reason="no experiment has been logged yet")
def test_the_committed_log_can_be_repeated():
    """Every change in it is still one that can be asked for, and the verdicts follow from the figures."""
    earlier = []
    for experiment in read():
        config, architecture = recipe(experiment.model), MODELS[experiment.model][1]
        for name, value in experiment.changes.items():
            if name.startswith("model."):
                architecture = changed(architecture, name.removeprefix("model."), value)
            else:
                config = changed(config, name, value)
        assert experiment.kept == is_better(experiment.dev_uar, experiment.kind, earlier), experiment.said
        earlier.append(experiment)
