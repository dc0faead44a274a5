"""scripts.bench.mixed: what is wrong is counted, without a server."""

from itertools import cycle

import pytest

from scripts.bench import load, mixed, page_times, soak
from scripts.bench.benchmark import __main__ as benchmark
from scripts.bench.kills import __main__ as kills
from scripts.bench.scaling import __main__ as scaling


@pytest.fixture
def answers(monkeypatch):
    """A function that says what each request is answered with."""

    def give(*statuses: int) -> None:
        found = cycle(statuses)
        work = {"predict": (1.0, lambda connection: (next(found), 0.01), (200,))}
        monkeypatch.setattr(mixed, "kinds", lambda: work)
        monkeypatch.setattr(mixed, "resident_bytes", lambda process_id: 500_000_000)

    return give


@pytest.mark.parametrize(("statuses", "is_well"), [((200,), True), ((200, 503, 429), True), ((200, 500), False)])
def test_refusals_are_counted_and_errors_fail(answers, statuses, is_well):
    answers(*statuses)
    figures, found = mixed.run("127.0.0.1:1", 1, n_clients=3, minutes=0.002)
    assert found is is_well
    assert set(figures["outcomes"]["predict"]) == {"right", *(str(status) for status in statuses if status != 200)}


@pytest.mark.slow
def test_a_client_without_an_answer_fails(answers, monkeypatch):
    answers(200)
    monkeypatch.setattr(mixed, "kinds", lambda: {"page": (1.0, mixed._get("/"), (200,))})
    counts = mixed.Counts()
    mixed.client(0, "127.0.0.1:1", mixed.time.monotonic() + 0.05, mixed.kinds(), counts)
    assert counts.outcomes["page"] == {"ConnectionRefusedError": 1}


@pytest.mark.parametrize("script", [benchmark, kills, load, mixed, page_times, scaling, soak])
def test_a_place_that_cannot_be_written_is_refused_before_the_work(script, tmp_path, capsys):
    with pytest.raises(SystemExit):
        script.main(["--json", str(tmp_path)])
    assert f"'{tmp_path}' cannot be written: name a file" in capsys.readouterr().err
