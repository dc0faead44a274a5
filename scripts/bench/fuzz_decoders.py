"""Damaged files of many containers through `read_audio`: outcomes, longest time, decoder processes that were needed.

python -m scripts.bench.fuzz_decoders [--files 10000] [--seed 18] [--finds FOLDER]

Exit code 1 if a file crashed or stopped its decoder, took more than 10 s, or raised anything but AudioError.
"""

import io
import json
import sys
import time
from collections import Counter
from pathlib import Path

import av
import numpy as np

from scripts.bench.fuzz import DAMAGES, SAMPLE, intact_files
from scripts.common.bars import tqdm
from scripts.common.flags import command_parser
from ser_core.audio import SAMPLE_RATE, AudioError, load_audio, read_audio

LONGEST_S = 10.0  # of processor time: what else runs on the machine does not count
CONTAINERS = {  # FFmpeg's name of the container -> codec
    "adts": "aac",
    "aiff": "pcm_s16be",
    "au": "pcm_s16be",
    "avi": "pcm_s16le",
    "caf": "pcm_s16le",
    "flv": "aac",
    "matroska": "flac",
    "mov": "pcm_s16le",
    "mp4": "aac",
    "mpegts": "aac",
    "w64": "pcm_s16le",
    "webm": "libopus",
}
BAD_WORDS = {"crash": "crash", "was stopped": "stopped", "more memory": "memory", "cannot be read (": "unforeseen"}


def seeds() -> dict[str, bytes]:
    """Intact files by container."""
    waveform = load_audio(SAMPLE, 48_000)[48_000 : 48_000 + 36_000]
    return intact_files() | {name: _encode(waveform, name, codec) for name, codec in CONTAINERS.items()}


def _encode(waveform: np.ndarray, container: str, codec: str) -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000, layout="mono")
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=48_000)
        for start in range(0, len(waveform), 960):
            frame = av.AudioFrame.from_ndarray(waveform[None, start : start + 960], format="flt", layout="mono")
            frame.sample_rate, frame.pts = 48_000, start
            for converted in resampler.resample(frame):
                output.mux(stream.encode(converted))
        output.mux(stream.encode(None))
    return file.getvalue()


def outcome(content: bytes) -> str:
    """What `read_audio` makes of a file: answer, error, or what must not happen."""
    try:
        read_audio(content, SAMPLE_RATE, max_duration_s=600.0)
    except AudioError as error:
        return next((bad for words, bad in BAD_WORDS.items() if words in str(error)), "error")
    except Exception as error:  # it is counted, and the run continues
        return type(error).__name__
    return "answer"


def run(n_files: int, seed: int, finds: Path | None) -> tuple[dict, bool]:
    """The figures, and whether all is well."""
    intact, generator, outcomes, longest_s = seeds(), np.random.default_rng(seed), Counter(), 0.0
    kinds = [(damage, name) for damage in DAMAGES for name in intact]
    for i in tqdm(range(n_files), unit="file"):
        damage, name = kinds[i % len(kinds)]
        content, started = DAMAGES[damage](intact[name], generator), time.process_time()
        found = outcome(content)
        elapsed_s = time.process_time() - started
        outcomes[found], longest_s = outcomes[found] + 1, max(longest_s, elapsed_s)
        if finds and (found not in ("answer", "error") or elapsed_s > LONGEST_S):
            (finds / f"{i}-{found}.{name}").write_bytes(content)
    figures = {"files": n_files, "containers": len(intact), "longest_s": round(longest_s, 2), **outcomes}
    return figures, set(outcomes) <= {"answer", "error"} and longest_s < LONGEST_S


def main(arguments: list[str] | None = None) -> int:
    parser = command_parser(__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=18)
    parser.add_argument("--finds", type=Path, help="existing folder for files that must not happen")
    options = parser.parse_args(arguments)
    figures, is_well = run(options.files, options.seed, options.finds)
    print(json.dumps(figures, indent=1))
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
