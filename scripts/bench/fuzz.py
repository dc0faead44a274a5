"""Damaged sound files, and what becomes of them in the server and on the command line."""

import io
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import av
import numpy as np
import soundfile

from scripts.bench.fuzz_page import through_page
from scripts.bench.server import PATIENCE_S, peak_bytes, post_sound
from ser_core import paths
from ser_core.audio import SAMPLE_RATE, load_audio
from ser_core.metrics import round_floats
from ser_core.models import DEFAULT_MODEL

SAMPLE = paths.SAMPLES / "low_slow.ogg"
LONGEST_S, MOST_MEMORY = 10.0, 2_000_000_000  # of one file, and of a process, in bytes


def intact_files() -> dict[str, bytes]:
    """Two seconds of a sample in each format, by file ending."""
    waveform = load_audio(SAMPLE)[SAMPLE_RATE : 3 * SAMPLE_RATE]
    files = {ending: _with_soundfile(waveform, ending) for ending in ("wav", "flac", "mp3", "ogg")}
    return files | {"m4a": _with_ffmpeg(waveform)}


def _with_soundfile(waveform: np.ndarray, ending: str) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, waveform, SAMPLE_RATE, format=ending.upper())
    return file.getvalue()


def _with_ffmpeg(waveform: np.ndarray) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="ipod") as output:
        stream = output.add_stream("aac", rate=SAMPLE_RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(waveform[None], format="fltp", layout="mono")
        frame.sample_rate = SAMPLE_RATE
        output.mux(stream.encode(frame))
        output.mux(stream.encode(None))
    return file.getvalue()


def flipped(data: bytes, generator: np.random.Generator, within: int | None = None) -> bytes:
    """Up to 64 bytes changed, anywhere or in the first `within` ones."""
    damaged = np.frombuffer(data, np.uint8).copy()
    where = generator.integers(0, within or len(data), generator.integers(1, 65))
    damaged[where] = generator.integers(0, 256, len(where))
    return damaged.tobytes()


DAMAGES = {
    "bytes": flipped,
    "header": lambda data, generator: flipped(data, generator, within=64),
    "ones": lambda data, generator: data[: (at := int(generator.integers(4, 60)))] + b"\xff" * 4 + data[at + 4 :],
    "end": lambda data, generator: data[: generator.integers(0, len(data))],
}


def damaged_files(n: int, seed: int = 0) -> dict[str, bytes]:
    """By name: number, damage, and the ending of what it was."""
    generator, intact = np.random.default_rng(seed), intact_files()
    kinds = [(damage, ending) for damage in DAMAGES for ending in intact]
    chosen = [kinds[i % len(kinds)] for i in range(n)]
    return {f"{i:04d}-{d}.{e}": DAMAGES[d](intact[e], generator) for i, (d, e) in enumerate(chosen)}


def through_rest(host: str, files: dict[str, bytes]) -> dict[str, tuple[str, float]]:
    """The outcome for each file, and the seconds it took; the first request, of an intact file, loads the model."""
    found = {}
    post_sound(HTTPConnection(host, timeout=PATIENCE_S), SAMPLE.read_bytes())
    for name, content in files.items():
        started, connection = time.perf_counter(), HTTPConnection(host, timeout=PATIENCE_S)
        try:
            while (response := post_sound(connection, content))[0] == 429:
                time.sleep(response[1])
            outcome = {200: "answer", 422: "error"}.get(response[0], f"status {response[0]}")
        except (OSError, HTTPException) as error:
            outcome = type(error).__name__
        connection.close()
        found[name] = outcome, time.perf_counter() - started
    return found


def through_command_line(files: dict[str, bytes]) -> tuple[dict[str, tuple[str, float]], int]:
    """The same, by `python -m scripts.predict`, and the memory it took at most, in bytes; the first loads the model."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            (Path(folder) / name).write_bytes(content)
        command = [sys.executable, "-m", "scripts.predict", str(SAMPLE), *(f"{folder}/{name}" for name in files)]
        process = subprocess.Popen(
            command, cwd=paths.ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        found, latest, peak = {}, time.perf_counter(), 0
        for line in process.stdout:
            now = time.perf_counter()
            record = json.loads(line)
            found[Path(record["file"]).name] = "error" if "error" in record else "answer", now - latest
            latest, peak = now, max(peak, peak_bytes(process.pid))  # wait4 would count what the parent holds as well
        process.wait()
    del found[SAMPLE.name]
    return {name: found.get(name, ("nothing", 0.0)) for name in files}, peak


def mutations(host: str, process_id: int | None, n: int, page: bool = False) -> tuple[dict, bool]:
    """The figures, and whether all is well.

    Args:
        process_id: of the server, for its memory.
        page: also through the page "Many files".
    """
    files = damaged_files(n)
    lines, line_bytes = through_command_line(files)
    ways = {"rest": through_rest(host, files), "command_line": lines}
    if page:
        ways["page"] = through_page(f"http://{host}", DEFAULT_MODEL, files)
    differ = [name for name in files if len({found[name][0] for found in ways.values()}) > 1]
    outcomes = {way: dict(Counter(outcome for outcome, _ in found.values())) for way, found in ways.items()}
    longest_s = {way: max(seconds for _, seconds in found.values()) for way, found in ways.items()}
    peak = {"server": peak_bytes(process_id) if process_id else 0, "command_line": line_bytes}
    figures = {"files": n, **outcomes, "differ": differ, "longest_s": longest_s, "peak_bytes": peak}
    well = not differ and {name for counted in outcomes.values() for name in counted} <= {"answer", "error"}
    well &= max(longest_s.values()) < LONGEST_S and max(peak.values()) < MOST_MEMORY
    print(json.dumps(round_floats(figures), indent=1))
    return figures, well
