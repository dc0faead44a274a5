"""Predictions for all sound files below a folder, thousands of them, in one table.

python -m scripts.predict_archive FOLDER [--model NAME] [--out results.parquet]
python -m scripts.predict_archive FOLDER --speakers folders|speakers.csv       with enrolment, for models that take it
python -m scripts.predict_archive FOLDER --speakers together    recordings of one kind, of any speaker, as reference
python -m scripts.predict_archive FOLDER --emotions neutral,happy,sad,angry       no other emotion can occur in it
python -m scripts.predict_archive s3://bucket/folder                          recordings in an object store
python -m scripts.predict_archive FOLDER --part 2/4    the second of four parts: one for each machine, no talk needed
python -m scripts.predict_archive FOLDER --scheduler tcp://host:8786     the same on a Dask cluster; "local": one here

It can be interrupted at any time: the same command resumes. The files are listed at the first start: those that are
added later are left out, and so are results of earlier jobs. Files that cannot be read are listed in
results.bad_files.csv with the reason. Exit code 0: all were read; 2: some were not, or nothing could be done; 130:
interrupted.
"""

import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.common.bars import tqdm
from scripts.common.errors import explains
from scripts.common.flags import archive_parser
from ser_core.evaluation import describe_collection
from ser_core.inference import (
    BY_FOLDER,
    MIN_SUGGESTED_COLLECTION,
    TOGETHER,
    ArchivePart,
    BatchError,
    BatchJob,
    ClusterError,
    Reference,
    SpeakerReferenceError,
    SpeakerTableError,
    WorkerDied,
    bad_files_path,
    check_takes_emotions,
    check_takes_reference,
    dask_executor,
    enrol_speakers,
    exclusive_lock,
    finish_job,
    open_job,
    process_executor,
    run_job,
    start_processes,
)
from ser_core.labels import EMOTIONS
from ser_core.models import CheckpointError, available_models, fast_model, load_model

MAX_WORKER_DEATHS = 20  # then the machine is at fault rather than a file


@contextmanager
def workers(scheduler: str | None, n_workers: int):
    """(executor, how many batches it runs at once)."""
    if scheduler:
        with dask_executor(scheduler, n_workers) as found:
            yield found
    else:
        with process_executor(n_workers) as executor:
            yield executor, n_workers


def analyse(job: BatchJob, out: Path, scheduler: str | None, n_workers: int) -> None:
    """Runs all missing batches, with a progress bar."""
    began, now_s, total_s, n_bad = time.monotonic(), 0.0, 0.0, 0
    with tqdm(total=job.n_files, unit="file", smoothing=0) as bar, workers(scheduler, n_workers) as (executor, n):
        if job.speakers:
            bar.write(describe_references(job, enrol_speakers(job, out, executor)))
        for progress in run_job(job, out, executor, n):
            total_s, n_bad = total_s + progress.audio_s, n_bad + progress.n_bad
            if progress.from_earlier_run:
                bar.initial += progress.n_files  # not part of the speed, nor of the hours
            else:
                now_s += progress.audio_s
            bar.set_postfix_str(f"{total_s / 3600:.2f} h of sound, {n_bad} bad", refresh=False)
            bar.update(progress.n_files)
    elapsed_s = time.monotonic() - began
    print(f"{now_s:.0f} s of sound in {elapsed_s:.1f} s: {now_s / elapsed_s:.0f} times real time")


def describe_references(job: BatchJob, references: dict[str, Reference]) -> str:
    """What the predictions are relative to."""
    if job.speakers != TOGETHER:
        return f"Speakers with a reference: {len(references)}. Files of others: without, reference_clips is 0."
    if TOGETHER in references:
        return f"Relative to {references[TOGETHER].n_clips} of the files"
    return "Too few files hold speech to be a reference, at least three are needed: predictions are without"


def suggest_together(model: str, n_files: int, emotions: Sequence[str] = EMOTIONS) -> str:
    """What the files as reference of each other would be worth; "" for few files, or where it was not measured.

    Args:
        emotions: that can occur; the figure is of all.
    """
    measured = describe_collection(model) if n_files >= MIN_SUGGESTED_COLLECTION else ""
    question = "Recordings of one kind, in several moods? --speakers together predicts them relative to each other."
    figure = f" {measured}" if emotions == EMOTIONS else ""
    return f"{question}{figure}" if measured else ""


def _own_table(out: Path, part: ArchivePart | None) -> Path:
    """The results of one part: results-2-of-4.parquet."""
    return out.with_stem(f"{out.stem}-{part.number}-of-{part.n_parts}") if part else out


def _speakers(given: str | None) -> str:
    """The option as the plan of the job holds it, valid in any working folder."""
    return given or "" if given in (None, BY_FOLDER, TOGETHER) else str(Path(given).resolve())


def analyse_despite_deaths(job: BatchJob, out: Path, scheduler: str | None, n_workers: int) -> None:
    """The same with new workers whenever one dies; the file that ends them is found and left out.

    Raises:
        WorkerDied: too many died.
    """
    for _ in range(MAX_WORKER_DEATHS):
        try:
            return analyse(job, out, scheduler, n_workers)
        except WorkerDied:
            print("\nA worker process died; looking for the file that ended it.", file=sys.stderr)
    analyse(job, out, scheduler, n_workers)


def run(options: Namespace, out: Path) -> tuple[int, int]:
    """Predicts all files of the folder; the numbers of rows in the table, and of unreadable files."""
    if not options.scheduler:
        start_processes()
    given = options.model or fast_model()
    loaded = load_model(given, "cpu")
    if options.speakers:
        check_takes_reference(loaded)
    if options.reference_emotion:
        check_takes_emotions(loaded)
    model = given if given in available_models() else str(Path(given).resolve())
    with exclusive_lock(out):
        of_speakers = (_speakers(options.speakers), options.part, options.reference_emotion or "")
        job = open_job(options.folder, model, loaded.version, out, options.workers, *of_speakers, options.emotions)
        if job.note:
            print(job.note, file=sys.stderr)
        analyse_despite_deaths(job, out, options.scheduler, options.workers)
        n_bad = finish_job(job, out)
    return job.n_files - n_bad, n_bad


@explains(
    BatchError,
    CheckpointError,
    ClusterError,
    SpeakerReferenceError,
    SpeakerTableError,
    cure="Finished batches are kept: the same command resumes.",
)
def main(arguments: list[str] | None = None) -> int:
    parser = archive_parser()
    options = parser.parse_args(arguments)
    if options.reference_emotion and options.speakers in (None, TOGETHER):
        parser.error("--reference-emotion needs --speakers folders or a table: it is of the files of one speaker")
    out = _own_table(options.out, options.part)
    try:
        n_rows, n_bad = run(options, out)
    except KeyboardInterrupt:
        print("\nInterrupted. The same command resumes where it stopped.", file=sys.stderr)
        return 130
    print(f"{n_rows} rows in {out}")
    if not options.speakers and (
        suggestion := suggest_together(options.model or fast_model(), n_rows, options.emotions)
    ):
        print(suggestion)
    if n_bad:
        print(f"{n_bad} files could not be read: see {bad_files_path(out)}", file=sys.stderr)
    return 2 if n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
