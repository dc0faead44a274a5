"""Small tasks for `scripts.bench.kills`: training, an archive, an export of embeddings, a download."""

import hashlib
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from safetensors import safe_open

from ser_core.audio import SAMPLE_RATE, encode_wav
from ser_core.data import AudioStore, decode_recordings, download_corpus, read_corpora, read_protocol
from ser_core.inference import exclusive_lock, finish_job, open_job, run_job
from ser_core.interpret import RAW_FEATURES, export_atlas
from ser_core.models import MODELS, Calibration, SERModel, build_model, load_model, save_model
from ser_core.paths import file_sha256
from ser_core.training import CURVE_FILE, TrainConfig, TrainingData, TrainingExample, TrainingRun, fit

with suppress(ImportError):
    import torch.utils.tensorboard  # slow to import: before the processes are copied

N_CLIPS, N_TRAINED, N_ARCHIVED = 2200, 32, 160
EPOCHS = 5
PARTS = "results.parquet.parts"  # of an archive that is not finished
STATE_FILE = "state.safetensors"  # of a training run
ARCHIVE_BYTES = 12_000_000  # of the download
CLOCK = ("seconds", "clips_per_s")  # in the lines of a learning curve


@dataclass(frozen=True)
class Task:
    """What is started, killed and started again."""

    name: str
    run: Callable[[Path, Path], int]  # (prepared folder, own folder) -> exit code
    progress: Callable[[Path], int]  # finished work in the own folder
    result: Callable[[Path], object]  # of a finished run, to be compared


def prepare(base: Path) -> None:
    """A corpus under names of CREMA-D, decoded; recordings for an archive; a model; an archive to download."""
    rng = np.random.default_rng(0)
    names = [row["utterance"].split("/")[1] for row in read_protocol("speaker-independent")]
    for i, name in enumerate([name for name in names if name.count("_") == 3][:N_CLIPS]):
        _write_wav(base / "corpora" / f"{name}.wav", rng)
        if i < N_ARCHIVED:
            _write_wav(base / "recordings" / f"{i % 7}" / f"{i}.wav", rng)
    problems = [reason for _, reason in decode_recordings(_utterances(base), base / "cache", 1) if reason]
    if problems:
        raise ValueError(problems[0])
    save_model(_small_model(), base / "small", "resonet", Calibration(), {})
    (base / "sounds.zip").write_bytes(_zipped(rng))


def _write_wav(path: Path, rng: np.random.Generator) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_wav(rng, duration_s=0.3))


def _wav(rng: np.random.Generator, duration_s: float) -> bytes:
    return encode_wav(rng.normal(0, 3000, round(duration_s * SAMPLE_RATE)).astype(np.int16))


def _utterances(base: Path):
    return read_corpora(base / "corpora").utterances


def _small_model() -> SERModel:
    torch.manual_seed(0)
    sizes = {"channels": (4, 4, 8, 8), "n_heads": 2, "embedding_dim": 8}
    return build_model("resonet", replace(MODELS["resonet"][1], **sizes))


def _zipped(rng: np.random.Generator) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for actor in range(1, 25):
            name = f"Actor_{actor:02d}/03-01-05-01-01-01-{actor:02d}.wav"
            archive.writestr(zipfile.ZipInfo(name), _wav(rng, ARCHIVE_BYTES / 24 / 2 / SAMPLE_RATE))
    return buffer.getvalue()


# --- the tasks -------------------------------------------------------------------------------------------------------


def _train(base: Path, folder: Path) -> int:
    torch.set_num_threads(1)
    clips = [TrainingExample(u.id, u.corpus, u.emotion) for u in _utterances(base)[:N_TRAINED]]
    config = TrainConfig(epochs=EPOCHS, batch_size=8, bf16=False)
    data = TrainingData(clips, clips[:8], AudioStore(base / "cache"))
    fit(_small_model(), config, data, TrainingRun(folder / "run", resume=True))
    return 0


def _trained_epochs(folder: Path) -> int:
    path = folder / "run" / STATE_FILE
    if not path.is_file():
        return 0
    with safe_open(path, "pt") as state:
        return int(state.metadata()["epoch"])


def _trained(folder: Path) -> object:
    lines = [json.loads(line) for line in (folder / "run" / CURVE_FILE).read_text().splitlines()]
    curve = [{name: value for name, value in line.items() if name not in CLOCK} for line in lines]
    return curve, _state(folder / "run" / STATE_FILE), (folder / "run" / "config.json").read_bytes()


def _state(path: Path) -> object:
    """Its metadata, whose order in the file is random, and a digest of its tensors."""
    with safe_open(path, "pt") as state:
        tensors = b"".join(state.get_tensor(name).numpy().tobytes() for name in sorted(state.keys()))
        return state.metadata(), hashlib.sha256(tensors).hexdigest()


def _predict_archive(base: Path, folder: Path) -> int:
    torch.set_num_threads(1)
    out = folder / "results.parquet"
    if out.is_file() and not (folder / PARTS / "job.json").is_file():
        return 0  # killed after the results were complete
    model = load_model(base / "small", "cpu")
    with exclusive_lock(out), ThreadPoolExecutor(1) as executor:
        job = open_job(base / "recordings", str(base / "small"), model.version, out, n_workers=2)
        for _ in run_job(job, out, executor, 1):
            pass
        finish_job(job, out)
    return 0


def _parts(folder: Path) -> list[Path]:
    return sorted((folder / PARTS).glob("*.parquet"))


def _finished_parts(folder: Path) -> int:
    return N_ARCHIVED if (folder / "results.parquet").is_file() else len(_parts(folder))


def _predicted(folder: Path) -> object:
    return sorted((path.name, file_sha256(path)) for path in folder.iterdir() if path.is_file())


def _export(base: Path, folder: Path) -> int:
    torch.set_num_threads(1)
    os.environ["SER_CACHE"] = str(folder / "cache")
    (folder / "cache").mkdir(exist_ok=True)
    for file in (base / "cache").iterdir():
        if not (folder / "cache" / file.name).exists():
            (folder / "cache" / file.name).symlink_to(file)
    export_atlas(RAW_FEATURES, AudioStore()).save(folder / "raw.npz")
    return 0


def _embedded(folder: Path) -> int:
    """Bytes of the parts that are done."""
    return sum(path.stat().st_size for path in (folder / "cache").glob("windows-*.npz"))


def _download(base: Path, folder: Path) -> int:
    with patch("ser_core.data.sources.zenodo.ZENODO_URL", (base / "address").read_text()):
        download_corpus("ravdess", folder, lambda n_came, n_to_come: None)
    return 0


def _downloaded_bytes(folder: Path) -> int:
    """Of both archives, unpacked or not."""
    unpacked = [name for name in ("ravdess", "ravdess_song") if (folder / name).is_dir()]
    zips = [path for path in (folder / ".download").glob("*") if path.name.split(".")[0] not in unpacked]
    return len(unpacked) * 2 * ARCHIVE_BYTES + sum(path.stat().st_size for path in zips)


def _tree(folder: Path) -> object:
    return sorted((str(path.relative_to(folder)), file_sha256(path)) for path in folder.rglob("*") if path.is_file())


TASKS = {
    "training": Task("training", _train, _trained_epochs, _trained),
    "archive": Task("archive", _predict_archive, _finished_parts, _predicted),
    "export": Task("export", _export, _embedded, lambda folder: file_sha256(folder / "raw.npz")),
    "download": Task("download", _download, _downloaded_bytes, _tree),
}


def run(name: str, base: Path, folder: Path) -> None:
    """Does a task, or goes on with it, in a process of its own, which ends with the exit code."""
    log = os.open(folder.with_suffix(".log"), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(log, 1)
    os.dup2(log, 2)
    sys.exit(TASKS[name].run(base, folder))
