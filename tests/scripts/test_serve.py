"""The whole program in one process: what the README shows runs against a server that was really started."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from http.client import HTTPConnection
from urllib.request import urlopen

import numpy as np
import pytest

from pages.settings.view import README_ADDRESS, api_examples
from scripts import serve
from scripts.bench import fuzz as _damaged, load as load_test, soak as soak_test
from scripts.bench.server import peak_bytes, post_sound, running_server
from ser_core.models.names import available_models
from ser_core.serving.routes import API_PATH, LIVE_PATH
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("prosonet" not in available_models(), reason="needs the shipped models"),
]
STORY = "assets/samples/story.ogg"


@pytest.fixture(scope="module")
def server():
    """(address, process id)."""
    with running_server("--rate", "100000") as found:
        yield found


def run(*command: str) -> str:
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def printed() -> dict:
    """What the command line answers."""
    return json.loads(run(sys.executable, "-m", "scripts.predict", STORY))


def test_what_is_imported_before_the_first_page_and_before_the_first_figure():
    """Nothing that takes seconds; and pandas, which Gradio imports in another thread: half of it broke a page off."""
    modules = "print(*sys.modules)"
    start, figure = run(
        sys.executable, "-c", f"import scripts.serve, sys; {modules}; import pages.ui.chart; {modules}"
    ).splitlines()
    assert not set(start.split()) & {"torch", "gradio", "fastapi", "sklearn", "numba"}
    assert "pandas" in figure.split()


def test_rest_gives_what_the_command_line_gives(server, printed):
    host = server[0].removeprefix("http://")
    status, _, body = post_sound(HTTPConnection(host, timeout=120), (ROOT / STORY).read_bytes())
    assert status == 200 and json.loads(body) == printed | {"file": ""}


@pytest.mark.parametrize("example", api_examples(), ids=["REST", "gradio_client"])
def test_the_examples_of_the_readme_run(server, printed, example):
    words = run(sys.executable, "-c", example.replace(README_ADDRESS, server[0])).split(maxsplit=3)
    assert words[:3] == [printed["emotion"], str(round(printed["confidence"], 2)), str(printed["abstain"])]


def test_the_examples_of_the_description_run(server):
    if shutil.which("curl") is None:
        pytest.skip("needs curl")
    with urlopen(f"{server[0]}{API_PATH}/openapi.json") as response:
        described = json.load(response)
    assert described["servers"] == [{"url": server[0] + API_PATH}]
    samples = [op["x-codeSamples"][0]["source"] for ops in described["paths"].values() for op in ops.values()]
    assert len(samples) == 6
    for sample in samples:
        assert "error" not in json.loads(run(*shlex.split(sample)))


def test_the_pages_the_live_page_and_the_description_are_there(server):
    for path, words in {
        "/": "streamlit",
        LIVE_PATH: "gradio",
        f"{LIVE_PATH}/": "gradio",
        API_PATH: "POST /predict",
    }.items():
        with urlopen(server[0] + path) as response:
            assert response.status == 200 and words in response.read().decode().lower().replace("post", "POST"), path


def test_nobody_but_this_machine_reaches_it(server):
    port = int(server[0].rpartition(":")[2])
    addresses = set(re.findall(r"inet (\d+\.\d+\.\d+\.\d+)", run("ip", "-4", "addr")) if shutil.which("ip") else ())
    for address in addresses - {"127.0.0.1"}:
        with pytest.raises(OSError):
            HTTPConnection(address, port, timeout=5).connect()


@pytest.mark.parametrize("path", ["/_stcore/stream", f"{API_PATH}/health", f"{LIVE_PATH}/gradio_api/startup-events"])
def test_no_page_of_another_site_is_answered(server, path):
    def status(**headers: str) -> int:
        connection = HTTPConnection(host, timeout=60)
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        connection.request("GET", path, headers=headers | (upgrade | key if path.endswith("stream") else {}))
        return connection.getresponse().status

    host, elsewhere = server[0].removeprefix("http://"), f"example.org:{server[0].rpartition(':')[2]}"
    assert status() in (101, 200) and status(Origin=server[0]) in (101, 200)
    assert status(Origin="http://example.org") == status(Origin="null") == 403
    assert status(Host=elsewhere, Origin=f"http://{elsewhere}") == status(Host=elsewhere) == 403


def test_the_options_of_the_pages_hold_in_any_working_folder(tmp_path):
    """Streamlit seeks them there: elsewhere, `ser serve` had its defaults, with usage statistics and tracebacks."""
    started = (
        "import sys, streamlit as st; from streamlit.web.server.starlette import starlette_server as server; "
        "from scripts import serve; server.UvicornRunner.run = lambda _: None; sys.argv = ['ser']; serve.main([]); "
        "print(*map(st.get_option, ('browser.gatherUsageStats', 'client.showErrorDetails', 'server.fileWatcherType', "
        "'theme.dark.primaryColor', 'server.address', 'server.allowedHosts')))"
    )
    found = subprocess.run(
        [sys.executable, "-c", started], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True
    )
    assert found.stdout.decode().splitlines()[-1] == "False none none #3D78AD 127.0.0.1 []", found.stderr.decode()


def test_a_proxy_forwards_the_public_address():
    """As in docs/deployment.md: pages of that address load, and talk to the server."""
    with running_server(STREAMLIT_BROWSER_SERVER_ADDRESS="voice.example.org") as (address, _):
        upgrade = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        for path, more, expected in (("/", {}, 200), ("/_stcore/stream", upgrade | key, 101)):
            for origin, status in (("https://voice.example.org", expected), ("https://example.org", 403)):
                connection = HTTPConnection(address.removeprefix("http://"), timeout=60)
                headers = {"Host": "voice.example.org", "Origin": origin} | more
                connection.request("GET", path, headers=headers)
                assert connection.getresponse().status == status, (path, origin)


@pytest.mark.parametrize("address", ["https://voice.example.org", "voice.example.org:8443", "voice.example.org/ser"])
def test_a_public_address_that_is_no_name_is_refused(address, monkeypatch, capsys):
    """No request would have it as its host: all were refused, with the advice to set it."""
    monkeypatch.setenv("STREAMLIT_BROWSER_SERVER_ADDRESS", address)
    with pytest.raises(SystemExit):
        serve.main(["--headless", "--host", "256.0.0.1"])
    assert f"{address}: give the name alone" in capsys.readouterr().err
    assert {serve.public_name_fault(name) for name in ("", "voice.example.org", "10.0.0.5", "2001:DB8::1")} == {""}


def test_load_is_measured_in_multiples_of_one_request(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(load_test, "CLIENTS", (1, 3))
    assert load_test.main([server[0], "--requests", "6", "--json", str(tmp_path / "load.json")]) == 0
    one, three = json.loads((tmp_path / "load.json").read_text())["clients"]
    assert (one["clients"], three["clients"], one["p50_ratio"]) == (1, 3, 1)
    assert three["p50_ratio"] == pytest.approx(three["p50_s"] / one["p50_s"], rel=0.01)
    assert len(capsys.readouterr().out.splitlines()) == 4


def test_damaged_files_end_nobody(server, tmp_path):
    path = tmp_path / "mutations.json"
    held_here = np.ones(1_500_000_000, np.uint8)  # the memory of the measuring process is not the measured one's
    assert load_test.main([server[0], "--mutate", "20", "--json", str(path)]) == 0
    figures = json.loads(path.read_text())
    assert 100e6 < figures["peak_bytes"]["command_line"] < len(held_here) or sys.platform != "linux"
    assert sum(figures["rest"].values()) == sum(figures["command_line"].values()) == 20
    assert set(figures["rest"]) == {"answer", "error"}


def test_damaged_files_are_the_same_each_time_and_all_damaged():
    files, again, others = (_damaged.damaged_files(40, seed) for seed in (0, 0, 1))
    wavs = [name for name in files if name.endswith(".wav")]  # an ogg has a number that is drawn when it is written
    assert len(wavs) == 8
    assert all(files[name] == again[name] != others[name] for name in wavs)
    intact = _damaged.intact_files()
    assert {name.rpartition(".")[2] for name in files} == set(intact) == {"wav", "flac", "mp3", "ogg", "m4a"}
    assert sum(content == intact[name.rpartition(".")[2]] for name, content in files.items()) == 0


def test_what_dies_or_differs_is_told(monkeypatch, capsys):
    monkeypatch.setattr(_damaged, "through_rest", lambda host, files: dict.fromkeys(files, ("answer", 0.1)))
    for found in (("error", 0.1), ("nothing", 0.1), ("answer", 2 * _damaged.LONGEST_S)):
        monkeypatch.setattr(_damaged, "through_command_line", lambda files, f=found: (dict.fromkeys(files, f), 0))
        assert not _damaged.mutations("", None, 4)[1]
    monkeypatch.setattr(_damaged, "through_command_line", lambda files: (dict.fromkeys(files, ("answer", 0.1)), 0))
    assert _damaged.mutations("", None, 4)[1]


def test_a_session_may_be_fed_faster_than_one_speaks(server):
    rows = list(soak_test.as_fast_as_possible(*server, minutes=0.1, n_parts=2))
    assert [(row["minutes"], row["answers"]) for row in rows] == [(0.05, 12), (0.1, 24)]
    assert rows[0]["server_mb"] > 50 or sys.platform != "linux"


def test_what_grows_is_told():
    rows = [{"minutes": 1, "server_mb": 600.0, "page_mb": 5.0}, {"minutes": 2, "server_mb": 590.0, "page_mb": 7.0}]
    assert soak_test.grew_mb(rows) == 2.0


def test_the_memory_of_a_process_is_read(server):
    assert peak_bytes(server[1]) > 50_000_000 or sys.platform != "linux"
