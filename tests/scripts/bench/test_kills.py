"""scripts.bench.kills: what was finished survives, and a loss is reported."""

from dataclasses import replace
from itertools import count

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def kills():
    """The command, imported when a test needs it: TensorBoard takes a second of each worker that collects its tests."""
    from scripts.bench.kills import __main__

    return __main__


@pytest.fixture
def tasks(monkeypatch):
    """Those of the command, with few clips."""
    from scripts.bench.kills import tasks

    monkeypatch.setattr(tasks, "N_CLIPS", 24)
    monkeypatch.setattr(tasks, "N_ARCHIVED", 6)
    return tasks


def test_killed_tasks_end_with_the_same_result(kills, tasks, capsys):
    names = ["--only", "training", "--only", "archive", "--only", "export"]
    assert kills.main(["--kills", "3", *names]) == 0, capsys.readouterr()


def test_another_result_and_a_loss_fail_the_run(kills, tasks, monkeypatch, capsys):
    never_the_same, less = count(), count(0, -1)
    changed = replace(tasks.TASKS["export"], result=lambda folder: next(never_the_same))
    monkeypatch.setitem(tasks.TASKS, "export", changed)
    assert kills.main(["--kills", "1", "--only", "export"]) == 1
    assert "another result" in capsys.readouterr().out
    monkeypatch.setitem(tasks.TASKS, "export", replace(changed, progress=lambda folder: next(less)))
    assert kills.main(["--kills", "2", "--only", "export"]) == 1
    assert "finished work fell" in capsys.readouterr().out
