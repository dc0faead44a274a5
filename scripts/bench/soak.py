"""Hours at the live microphone: does anything grow but the recording?

python -m scripts.bench.soak [--minutes 60] [--parts 6] [--json FILE]
python -m scripts.bench.soak --browser 10 [--json FILE]

The first feeds one session of a server of its own with speech, half a second at a time and as fast as it is taken, and
shows the memory of the server after each part, less that of the recording, which is kept until the page is closed.
--browser lets chromium speak into the page for so many minutes of real time, and shows the memory of that page, less
the recording, and of the server. Needs requirements-dev.txt for it. Exit code 1: it grew by more than 20 MB after the
first part.
"""

import base64
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from urllib.request import Request, urlopen

import numpy as np
import soundfile

from scripts.bench.live import HOP, RATE, SPEECH
from scripts.bench.server import PATIENCE_S, browser_with_microphone, resident_bytes, running_server
from scripts.common.flags import command_parser, writable_path
from ser_core import paths
from ser_core.audio import SAMPLE_RATE, load_audio
from ser_core.models import models_for_long_audio
from ser_core.serving import LIVE_PATH

MOST_MB = 20.0
PAGE = "soak"


class Page:
    """What the live page does, without a browser."""

    def __init__(self, address: str):
        self._api = f"{address}{LIVE_PATH}/gradio_api"
        with urlopen(f"{address}{LIVE_PATH}/config", timeout=PATIENCE_S) as response:
            config = json.load(response)
        self._id = next(c["id"] for c in config["components"] if c["type"] == "html")
        opened = next(d["id"] for d in config["dependencies"] if any(event == "load" for _, event in d["targets"]))
        self._post("run/predict", fn_index=opened, data=[])

    def call(self, what: str, **question) -> dict:
        """Raises ValueError for a problem that the page would show."""
        data = {"page_id": PAGE, **question}
        reply = self._post("component_server", component_id=self._id, fn_name=what, data=data)
        if "error" in reply:
            raise ValueError(reply["error"])
        return reply

    def _post(self, route: str, **body) -> dict:
        content = json.dumps(body | {"session_hash": PAGE}).encode()
        request = Request(f"{self._api}/{route}", content, {"Content-Type": "application/json"})
        with urlopen(request, timeout=PATIENCE_S) as response:
            return json.load(response)


def as_fast_as_possible(address: str, process_id: int, minutes: float, n_parts: int) -> Iterator[dict]:
    """A row for each part."""
    speech = np.round(32767 * load_audio(SPEECH, RATE)).astype("<i2")
    page = Page(address)
    page.call("start", model=models_for_long_audio()[0], sample_rate=RATE)
    at, n_predictions = 0, 0
    for part in range(1, n_parts + 1):
        started = time.perf_counter()
        while at < part * minutes * 60 * RATE / n_parts:
            chunk = np.take(speech, np.arange(at, at + HOP), mode="wrap")
            reply = page.call("feed", offset=at, samples=base64.b64encode(chunk.tobytes()).decode())
            at, n_predictions = at + HOP, n_predictions + bool(reply)
        yield {
            "minutes": round(at / RATE / 60, 2),
            "answers": n_predictions,
            "took_s": round(time.perf_counter() - started, 1),
            "server_mb": _mb(resident_bytes(process_id) - 2 * at * SAMPLE_RATE // RATE),
        }


def in_a_browser(address: str, process_id: int, minutes: float, n_parts: int) -> Iterator[dict]:
    """The same, in real time."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as p:
        sound = f"{folder}/speech.wav"
        soundfile.write(sound, load_audio(SPEECH, RATE), RATE)
        browser = browser_with_microphone(p, sound)
        page = browser.new_page()
        page.goto(f"{address}{LIVE_PATH}/")
        page.get_by_role("button", name="Start").click()
        page.locator(".history i").first.wait_for(timeout=1000 * PATIENCE_S)
        tools = page.context.new_cdp_session(page)
        tools.send("Performance.enable")
        for part in range(1, n_parts + 1):
            page.wait_for_timeout(minutes * 60_000 / n_parts)
            recorded_s = part * minutes * 60 / n_parts
            yield {
                "minutes": round(recorded_s / 60, 2),
                **_page_size(tools),
                "delay": page.locator(".latency b").inner_text(),
                "server_mb": _mb(resident_bytes(process_id) - 2 * recorded_s * SAMPLE_RATE),
            }
        browser.close()


def _page_size(tools) -> dict[str, float]:
    """Memory and nodes of the page, after a garbage collection."""
    tools.send("HeapProfiler.collectGarbage")
    found = {m["name"]: m["value"] for m in tools.send("Performance.getMetrics")["metrics"]}
    return {"page_mb": _mb(found["JSHeapUsedSize"]), "nodes": int(found["Nodes"])}


def _mb(n_bytes: float) -> float:
    return round(n_bytes / 1e6, 1)


def grew_mb(rows: list[dict]) -> float:
    """The most that anything grew after the first part."""
    names = [name for name in rows[0] if name.endswith("_mb")]
    return max(row[name] - rows[0][name] for row in rows for name in names)


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--minutes", type=float, default=60.0, help="of sound")
    parser.add_argument("--browser", type=float, metavar="MINUTES", help="in a browser instead, in real time")
    parser.add_argument("--parts", type=int, default=6)
    parser.add_argument("--json", type=writable_path, help="also write the figures to this file")
    options = parser.parse_args(arguments)
    rows, way = [], in_a_browser if options.browser else as_fast_as_possible
    with running_server() as server:
        for row in way(*server, options.browser or options.minutes, options.parts):
            print(json.dumps(row), flush=True)
            rows.append(row)
    if options.json:
        paths.write_json(options.json, rows)
    return 0 if grew_mb(rows) < MOST_MB else 1


if __name__ == "__main__":
    sys.exit(main())
