"""prosonet and its teachers: each is trained once, on the same clips, and the student comes last."""

import pytest

from scripts import distill as teach, train
from scripts.common import flags
from ser_core.models.registry import MODELS
from ser_core.training import recipes


def test_teachers_differ_from_the_student_in_what_exists(subtests):
    for teacher in [name for name, changes in teach.TEACHERS.items() if changes]:
        with subtests.test(teacher=teacher):
            for text in teach.TEACHERS[teacher]:
                name, value = flags.parse_override(text)
                own = (
                    MODELS[teach.MODEL][1]
                    if name.startswith(flags.MODEL_PREFIX)
                    else recipes.recipe_for_model(teach.MODEL)
                )
                assert recipes.override_config(own, name.removeprefix(flags.MODEL_PREFIX), value) != own


@pytest.fixture
def trained(monkeypatch, tmp_path) -> list[list[str]]:
    """What scripts.train was asked for; it leaves a folder and nothing else."""
    monkeypatch.chdir(tmp_path)
    calls = []

    def remember(arguments: list[str]) -> int:
        calls.append(arguments)
        teach.checkpoint(arguments[arguments.index("--run") + 1]).mkdir(parents=True)
        return 0

    monkeypatch.setattr(train, "main", remember)
    return calls


def test_the_pupil_learns_from_all_teachers_of_its_part(trained):
    assert teach.main(["--protocol", "leave-one-corpus-out", "--fold", "tess"]) == 0
    *teachers, pupil = trained
    assert len(teachers) == len(teach.TEACHERS)
    for call in trained:
        assert call[:6] == ["prosonet", "--protocol", "leave-one-corpus-out", "--fold", "tess", "--resume"]
    runs = [call[call.index("--run") + 1] for call in teachers]
    assert pupil[pupil.index("--teachers") + 1 :] == [f"runs/{run}/checkpoint" for run in runs]
    assert f"distillation={teach.DISTILLATION}" in pupil and not any("--teachers" in call for call in teachers)


def test_what_is_finished_is_not_done_again(trained, capsys):
    teach.checkpoint("prosonet-resonet-wide").mkdir(parents=True)
    assert teach.main(["--protocol", "resonet"]) == 0
    assert len(trained) == len(teach.TEACHERS) and "wide" in capsys.readouterr().out
    assert all("--fold" not in call for call in trained)
    assert teach.main(["--protocol", "resonet"]) == 0 and len(trained) == len(teach.TEACHERS)


def test_a_failure_stops_before_the_next(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    codes = iter([0, 130])
    monkeypatch.setattr(train, "main", lambda arguments: next(codes))
    assert teach.main(["--fold", "0"]) == 130 and next(codes, None) is None
