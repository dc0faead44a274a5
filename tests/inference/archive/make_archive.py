"""A folder of recordings and of what is none, and how a run without interruptions hears it."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from ser_core import inference as archive
from ser_core.models.checkpoint import load_model
from tests.make_corpus import voice, write_wav

BAD = {"empty.wav": "is empty", "deep/er/notes.txt": "text"}


def write_recordings(folder: Path, speech: np.ndarray) -> Path:
    """Sixteen recordings in folders of their own, two files that are none, and what is hidden."""
    for i in range(14):
        write_wav(folder / f"speaker {i % 3}" / f"{i:02d}.wav", voice(100 + 20 * i, seed=i, duration_s=0.4 + 0.1 * i))
    write_wav(folder / "deep" / "er" / "long, speech.wav", np.tile(speech, 2))
    write_wav(folder / "deep" / "er" / "caf\N{LATIN SMALL LETTER E WITH ACUTE}.wav", speech)
    (folder / "empty.wav").touch()
    (folder / "deep" / "er" / "notes.txt").write_text("no sound")
    write_wav(folder / ".hidden.wav", speech)
    return folder


def analyse_all(folder: Path, model: str, out: Path, n_workers: int = 1, **options) -> list[dict]:
    """The rows of a run in one go."""
    job = archive.open_job(folder, model, load_model(model).version, out, n_workers, **options)
    with ThreadPoolExecutor(1) as executor:
        done = list(archive.run_job(job, out, executor, n_workers))
    assert sum(p.n_files for p in done) == job.n_files and archive.finish_job(job, out) == sum(p.n_bad for p in done)
    return pq.read_table(out).to_pylist()
