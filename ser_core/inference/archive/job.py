"""A batch job: its files, its model, and its state on disk, which is valid after any interruption.

RESULTS.parts/ holds plan.jsonl (the names of all files, fixed at the start), job.json (model, version and batch size)
and one NUMBER.parquet for each finished batch. A file gets its name there only when it is complete.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ser_core import paths
from ser_core.inference.archive.plan import PLAN_FILE, ArchivePart, BatchError, names_in_folder, write_plan
from ser_core.inference.archive.speakers import (
    BY_FOLDER,
    FolderCheck,
    RowCheck,
    SpeakerTable,
    SpeakerTableError,
    read_speaker_table,
    speaker_function,
)
from ser_core.inference.archive.store import is_address, names_in_store
from ser_core.inference.reference import TOGETHER
from ser_core.labels import EMOTIONS, check_possible_emotions

MAX_FILES_PER_BATCH = 64  # at most these are lost per process by an interruption
BATCHES_PER_WORKER = 4  # at least, if there are enough files: keeps all workers busy until the end
JOB_FILE, REFERENCES_FILE = "job.json", "references.json"
PARTS_SUFFIX, BAD_FILES_SUFFIX = ".parts", ".bad_files.csv"
ALL_EMOTIONS = ",".join(EMOTIONS)
RESULT_SUFFIXES = (".parquet", f".parquet{PARTS_SUFFIX}", BAD_FILES_SUFFIX)  # of what a job writes


@dataclass(frozen=True)
class BatchJob:
    """The files of a job and the model that predicts them."""

    folder: str
    model: str  # name or folder of the checkpoint
    version: str
    n_files: int
    batch_size: int
    speakers: str = ""  # "folders", the path of a table, or "together", see speaker_function; "": without enrolment
    part: str = ""  # "2/4": the second of four parts of the archive; "": all of it
    table_sha256: str = ""  # of the content of the table of speakers; "": there is none
    reference_emotion: str = ""  # of the files of every speaker, or "everyday"; "": unknown
    emotions: str = ALL_EMOTIONS  # that can occur; a job without them in its plan is of all
    note: str = field(default="", compare=False)  # what the user should know about the files, at every start

    @property
    def n_batches(self) -> int:
        return -(-self.n_files // self.batch_size)

    def n_files_in(self, number: int) -> int:
        """Of one batch."""
        return min(self.batch_size, self.n_files - number * self.batch_size)


def parts_folder(out: Path) -> Path:
    """The folder with the state of an unfinished job."""
    return out.with_name(f"{out.name}{PARTS_SUFFIX}")


def bad_files_path(out: Path) -> Path:
    """The list of unreadable files, with the reason for each; another one for each table."""
    stem = out.stem if out.suffix == ".parquet" else out.name  # in v.2 the end is part of the name
    return out.with_name(f"{stem}{BAD_FILES_SUFFIX}")


class ResultCheck:
    """Leaves out the results of other jobs, while the names of all files pass."""

    def __init__(self) -> None:
        self.n_results, self.example = 0, ""

    def watch(self, names: Iterable[str]) -> Iterator[str]:
        """The names of the other files."""
        for name in names:
            if any(part.endswith(RESULT_SUFFIXES) for part in name.split("/")):
                self.n_results, self.example = self.n_results + 1, name
            else:
                yield name

    def summary(self) -> str:
        """What was left out, when all names have passed; or ""."""
        left_out = f"Left out, as results of this command: {self.n_results} files, such as {self.example}"
        return left_out if self.n_results else ""


@contextmanager
def exclusive_lock(out: Path) -> Iterator[None]:
    """A lock on the results, released however this process ends.

    Raises:
        BatchError: another process holds it.
    """
    parts = parts_folder(out)
    busy = BatchError(f"{out} is being made by another process. Wait, or name another file with --out.")
    with paths.only_writer(parts, busy):
        try:
            yield
        finally:
            with suppress(OSError):  # it is not empty
                parts.rmdir()


def part_path(parts: Path, number: int) -> Path:
    """The rows of a finished batch."""
    return parts / f"{number:06d}.parquet"


def finished_batches(parts: Path) -> set[int]:
    """Numbers of the batches that are done, from the names of their files."""
    return {int(path.stem) for path in parts.glob("*.parquet")}


def open_job(
    folder: str | Path,
    model: str,
    version: str,
    out: Path,
    n_workers: int,
    speakers: str = "",
    part: ArchivePart | None = None,
    reference_emotion: str = "",
    emotions: Sequence[str] = EMOTIONS,
) -> BatchJob:
    """Writes the plan of a new job, or reads that of an interrupted one.

    Args:
        folder: all files below it, whatever their extension, except results of such jobs and names that begin with a
            dot; linked folders too, each once. Or an address in an object store.
        model: name or folder of the checkpoint.
        version: of the checkpoint.
        out: path of the results table.
        n_workers: how many batches may run at once.
        speakers: see speaker_function; the files of a speaker become the reference for all of them.
        part: only the files, or with speakers only the speakers, of this part; files together are those of the part.
        reference_emotion: of the files of every speaker as reference clips, see speaker_reference; "": unknown.
        emotions: that can occur, see limit_emotions.

    Raises:
        ValueError: fewer than two emotions, or one that does not exist.
        SpeakerTableError: the table of speakers cannot be used.
        BatchError: a folder that does not exist, is empty or cannot be listed, existing results, or the parts of
            another job.
    """
    table = read_speaker_table(Path(speakers)) if speakers not in ("", BY_FOLDER, TOGETHER) else None
    digest = table.sha256 if table else ""
    of_speakers = (speakers, str(part or ""), digest, reference_emotion)
    possible = ",".join(check_possible_emotions(emotions))
    wanted = BatchJob(_resolved(str(folder)), model, version, 0, 1, *of_speakers, possible)
    if (parts_folder(out) / JOB_FILE).is_file():
        return _load_job(parts_folder(out), wanted)
    if out.exists():
        raise BatchError(f"{out} already exists. Delete it, or name another file with --out.")
    return _start_job(wanted, out, n_workers, _part_filter(part, speakers, table), table)


def _part_filter(part: ArchivePart | None, speakers: str, table: SpeakerTable | None) -> Callable[[str], bool]:
    """Whether a file is in the part: files of a speaker stay together, those of nobody go by their own name."""
    if part is None:
        return lambda name: True
    if table:
        return lambda name: part.holds(table.speaker_of(name) or name)
    speaker_of = speaker_function(BY_FOLDER) if speakers == BY_FOLDER else str
    return lambda name: part.holds(speaker_of(name))


def _resolved(folder: str) -> str:
    """Valid in any working folder."""
    if is_address(folder):
        return folder
    if not Path(folder).is_dir():
        raise BatchError(f"There is no folder {folder!r}. Check the path.")
    return str(Path(folder).resolve())


def _start_job(
    wanted: BatchJob, out: Path, n_workers: int, is_wanted: Callable[[str], bool], table: SpeakerTable | None
) -> BatchJob:
    parts = parts_folder(out)
    parts.mkdir(parents=True, exist_ok=True)
    for rows in parts.glob("*.parquet"):
        rows.unlink()  # of a job interrupted while it deleted them
    try:
        n_files, note = _plan_files(wanted, out, is_wanted, table)
    except (BatchError, SpeakerTableError, OSError):
        (parts / PLAN_FILE).unlink(missing_ok=True)  # nothing is left of a job that does not start
        raise
    batch_size = max(1, min(MAX_FILES_PER_BATCH, n_files // (BATCHES_PER_WORKER * n_workers)))
    (parts / REFERENCES_FILE).unlink(missing_ok=True)
    job = replace(wanted, n_files=n_files, batch_size=batch_size, note=note)
    paths.write_json(parts / JOB_FILE, asdict(job))
    return job


def _plan_files(
    wanted: BatchJob, out: Path, is_wanted: Callable[[str], bool], table: SpeakerTable | None
) -> tuple[int, str]:
    """Writes the plan; the number of its files, and what the user should know about them."""
    of_speakers = [RowCheck(table)] if table else [FolderCheck()] if wanted.speakers == BY_FOLDER else []
    checks, names = [ResultCheck(), *of_speakers], _names(wanted, out)
    for check in checks:
        names = check.watch(names)
    n_files = write_plan(filter(is_wanted, names), parts_folder(out))
    if not n_files:
        where = f"part {wanted.part} of {wanted.folder}" if wanted.part else wanted.folder
        raise BatchError(f"There are no files in {where}.")
    return n_files, "\n".join(filter(None, (check.summary() for check in checks)))


def _names(wanted: BatchJob, out: Path) -> Iterator[str]:
    """Of all files, without those of the job itself."""
    if is_address(wanted.folder):
        return names_in_store(wanted.folder)
    table = [Path(wanted.speakers)] if wanted.table_sha256 else []
    return names_in_folder(wanted.folder, (parts_folder(out), out, bad_files_path(out), *table))


def _load_job(parts: Path, wanted: BatchJob) -> BatchJob:
    try:
        job = BatchJob(**json.loads((parts / JOB_FILE).read_text()))
    except (ValueError, TypeError):
        raise BatchError(f"{parts / JOB_FILE} is damaged. Delete the folder {parts} and start again.") from None
    expected = replace(wanted, model=job.model, n_files=job.n_files, batch_size=job.batch_size)
    if replace(expected, table_sha256=job.table_sha256) != job:
        raise BatchError(
            f"{parts} belongs to another job: {job.model} (version {job.version}) on {job.folder}"
            f"{f', part {job.part}' if job.part else ''}{f', speakers by {job.speakers}' if job.speakers else ''}"
            f"{f', reference emotion {job.reference_emotion}' if job.reference_emotion else ''}"
            f"{f', emotions {job.emotions}' if job.emotions != ALL_EMOTIONS else ''}. "
            "Finish that one, delete the folder, or name another file with --out."
        )
    if expected != job:  # also without a checksum in the plan: nobody can tell whether the table was this one
        raise BatchError(
            f"{parts} belongs to a job with another content of {job.speakers}. Restore that table, delete the folder "
            "to start again, or name another file with --out."
        )
    return job
