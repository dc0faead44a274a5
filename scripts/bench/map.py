"""Measures the view Map in a browser: how much it sends, when it is drawn, how smoothly it moves.

python -m scripts.bench.map [--points 12000 100000]     needs chromium and playwright (requirements-dev.txt)

Synthetic clips in eight clusters. A browser without a screen draws on the processor: with a graphics card it is faster.
"""

import itertools
import json
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from scripts.bench.server import chromium, launch, running_server
from scripts.common.flags import command_parser
from ser_core.interpret import Atlas, ProjectionConfig
from ser_core.labels import EMOTIONS

DIM = 32
PATIENCE_MS = 300_000
N_MOVES = 40  # of the mouse, while the map is dragged

# Milliseconds from each frame to the next, until `watching` is false.
WATCH_FRAMES = """() => {
    window.frames_ms = []; window.watching = true;
    let last = performance.now();
    const tick = now => { frames_ms.push(now - last); last = now; if (watching) requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
}"""


def synthetic(n: int) -> Atlas:
    """So many clips in eight clusters, with a made-up map; the names follow the grammar of CREMA-D."""
    rng = np.random.default_rng(0)
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXY"
    words = itertools.product(range(1000, 2000), letters, letters, ("ANG", "DIS", "SAD", "NEU"))
    names = (f"crema_d/{speaker}_{a}{b}X_{emotion}_XX" for speaker, a, b, emotion in words)
    ids = np.array(list(itertools.islice(names, n)))
    cluster = rng.integers(0, len(EMOTIONS), n)
    places = 10 * rng.normal(size=(len(EMOTIONS), 2))[cluster] + rng.normal(size=(n, 2))
    found = Atlas(
        model=f"synthetic-{n}",
        version="",
        ids=ids,
        embeddings=(5 * rng.normal(size=(len(EMOTIONS), DIM))[cluster] + rng.normal(size=(n, DIM))).astype(np.float32),
        predicted=cluster,
        confidence=rng.uniform(0.3, 1, n).astype(np.float32),
        part=np.zeros(n, int),
        distances=np.ones(n),
    )
    return found.with_map(ProjectionConfig("umap"), places)


def measured(browser, address: str, n: int) -> dict[str, float]:
    """One map, opened and dragged about."""
    page, received = browser.new_page(viewport={"width": 1400, "height": 1000}), []
    page.set_default_timeout(PATIENCE_MS)
    page.on("websocket", lambda socket: socket.on("framereceived", lambda frame: received.append(len(frame))))
    started = time.perf_counter()
    page.goto(f"{address}/clip?view=map&space=synthetic-{n}")
    plot = page.locator(".js-plotly-plot").first
    plot.locator("canvas").first.wait_for(state="attached")
    n_drawn = plot.evaluate("plot => plot._fullData.reduce((n, t) => n + (t.customdata ? t.x.length : 0), 0)")
    drawn_s = time.perf_counter() - started
    page.get_by_text("have its emotion").wait_for()  # all of the page is there
    found = {
        "points": n,
        "drawn": n_drawn,
        "sent [MB]": round(sum(received) / 1e6, 2),
        "map after [s]": round(drawn_s, 2),
        "whole page after [s]": round(time.perf_counter() - started, 2),
    }
    plot.hover()
    plot.locator("[data-val=pan]").first.click(force=True)
    median_ms, slow_ms = np.quantile(frames_while_dragged(page, plot, 5, 3), [0.5, 0.95]).round(1).tolist()
    page.close()
    return found | {"frame, median [ms]": median_ms, "frame, slowest of 20 [ms]": slow_ms}


def frames_while_dragged(page, element, x_step: float, y_step: float) -> list[float]:
    """Milliseconds of each frame while the mouse drags an element from its middle, so many pixels a move."""
    box = element.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(WATCH_FRAMES)
    for i in range(N_MOVES):
        page.mouse.move(x + x_step * i, y + y_step * i)
    page.mouse.up()
    return page.evaluate("() => { window.watching = false; return frames_ms.slice(1); }")


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--points", type=int, nargs="+", default=[12_000, 100_000])
    options = parser.parse_args(arguments)
    if chromium() is None or find_spec("playwright") is None:
        print("Install chromium, and playwright by pip install -r requirements-dev.txt.", file=sys.stderr)
        return 2
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for n in options.points:
            synthetic(n).save(Path(folder) / f"synthetic-{n}.npz")
        browser = launch(playwright)
        with running_server(SER_EMBEDDINGS=folder) as (address, _):
            browser.new_page().goto(address)  # what is loaded once is not the map's
            for n in options.points:
                print(json.dumps(measured(browser, address, n)), flush=True)
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
