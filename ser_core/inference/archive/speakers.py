"""Enrolment in an archive: the files of a speaker, or all of them, unlabelled, are their own reference."""

import hashlib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PurePosixPath

import torch

from ser_core.audio import Recording
from ser_core.data import CorpusError, emotion_word, table_rows
from ser_core.inference.archive.batch_table import cached_model, read_files
from ser_core.inference.enrolment import has_speech, speaker_reference
from ser_core.inference.reference import TOGETHER, Reference
from ser_core.inference.reference_clips import (
    MIN_REFERENCE_CLIPS,
    distinct_clips,
    draw_reference_clips,
    reference_part,
)
from ser_core.labels import EMOTIONS

BY_FOLDER = "folders"  # every folder holds the files of one speaker; see _folder_speaker


class SpeakerTableError(ValueError):
    """A table of speakers that cannot be used; the message names the cause and the cure."""


@dataclass(frozen=True)
class SpeakerTable:
    """Speakers by file, from a CSV file."""

    path: Path
    sha256: str  # of its content, to notice a change
    speakers: dict[str, str]  # by _normal_name of the file

    def speaker_of(self, file: str) -> str:
        """ "" for a file whose speaker is unknown."""
        return self.speakers.get(_normal_name(file), "")


class RowCheck:
    """Finds the rows of a table that name no file, while the names of all files pass: none of those is kept."""

    def __init__(self, table: SpeakerTable):
        self.table, self.example = table, ""
        self.missing = dict.fromkeys(table.speakers)  # in the order of the table

    def watch(self, names: Iterable[str]) -> Iterator[str]:
        """The same names."""
        for name in names:
            self.missing.pop(_normal_name(name), None)
            self.example = self.example or name
            yield name

    def summary(self) -> str:
        """How many rows name no file, when all names have passed; "" if there is none.

        Raises:
            SpeakerTableError: no row names a file.
        """
        path, n_rows, n_missing = self.table.path, len(self.table.speakers), len(self.missing)
        if not n_rows:
            raise SpeakerTableError(f"{path} has no rows. Give each file a row with its speaker.")
        if not n_missing:
            return ""
        row = next(iter(self.missing))
        if n_missing == n_rows:
            raise SpeakerTableError(
                f"None of the {n_rows} rows of {path} names a file of the folder: a row has {row!r}, a file is "
                f"{self.example!r}. Write the files relative to the folder."
            )
        return f"{n_missing} of {n_rows} rows of {path} name no file of the folder; the first has {row!r}"


class FolderCheck:
    """Finds folders of speakers that share their names, while the names of all files pass: only folders are kept."""

    def __init__(self) -> None:
        self.parents: dict[str, set[str]] = defaultdict(set)  # by the last name of a folder

    def watch(self, names: Iterable[str]) -> Iterator[str]:
        """The same names."""
        last = ""
        for name in names:
            if (folder := name.rpartition("/")[0]) != last:
                speaker, last = PurePosixPath(_folder_speaker(name)), folder
                self.parents[speaker.name].add(speaker.parent.as_posix())
            yield name

    def summary(self) -> str:
        """A warning where most folders share their names, as those of moods do, when all names have passed; or ""."""
        shared = {name: found for name, found in self.parents.items() if len(found) > 1}
        if 2 * sum(map(len, shared.values())) <= sum(map(len, self.parents.values())):
            return ""
        name, found = next(iter(shared.items()))
        examples = " and ".join(f"{parent}/{name}" for parent in islice(sorted(found), 2))
        return (
            f"Each folder counts as a speaker, but most share their names, such as {examples}: if these are moods or "
            "sessions of one speaker, name the speakers in a table, --speakers CSV"
        )


def _normal_name(file: str) -> str:
    """For comparison: as Windows or macOS write it, or with a leading "./"."""
    return unicodedata.normalize("NFC", PurePosixPath(file.replace("\\", "/")).as_posix())


def speaker_function(speakers: str, sha256: str = "") -> Callable[[str], str]:
    """From the name of a file to its speaker; "" for a file whose speaker is unknown.

    Args:
        speakers: "folders", the path of a CSV file with the columns `file` (relative to the archive) and `speaker`, or
            "together": all files are recordings of one kind, of any speaker.
        sha256: of the content of the table at the start of the job; "": any content.

    Raises:
        SpeakerTableError: the table cannot be read, lacks these columns, or has another content.
    """
    if speakers == BY_FOLDER:
        return _folder_speaker
    if speakers == TOGETHER:
        return lambda file: TOGETHER
    table = read_speaker_table(Path(speakers))
    if sha256 and table.sha256 != sha256:
        raise SpeakerTableError(
            f"{speakers} was changed during the work. Restore it, then start the same command again."
        )
    return table.speaker_of


def _folder_speaker(file: str) -> str:
    """Its folders but those named after emotions: files of one emotion as their own reference would hide it."""
    folders = PurePosixPath(file).parent.parts
    return PurePosixPath(*(folder for folder in folders if emotion_word(folder) not in EMOTIONS)).as_posix()


def read_speaker_table(path: Path) -> SpeakerTable:
    """A CSV file with the columns `file` (or `path`) and `speaker`, as spreadsheets write it.

    Raises:
        SpeakerTableError: it cannot be read, lacks these columns, or names two speakers of a file.
    """
    try:
        content = path.read_bytes()
        rows = table_rows(path.name, content, ("path", "speaker"))
        speakers: dict[str, str] = {}
        for number, row in rows:
            if file := row.get("path"):
                speaker = row.get("speaker", "")
                if (before := speakers.setdefault(_normal_name(file), speaker)) != speaker:
                    raise SpeakerTableError(
                        f"{path}, row {number}: {file} is of {speaker!r}, in a row before of {before!r}. Remove one."
                    )
    except CorpusError as error:
        raise SpeakerTableError(f"A table of speakers has the columns file (or path) and speaker: {error}") from None
    except OSError as error:
        raise SpeakerTableError(f"{path} cannot be read ({error.strerror}). Check the path.") from None
    return SpeakerTable(path, hashlib.sha256(content).hexdigest(), speakers)


def draw_clips(read_plan: Callable[[], Iterable[str]], speaker_of: Callable[[str], str]) -> dict[str, list[str]]:
    """Speaker -> at most 30 of their files, drawn at random; without unknown speakers and those with few.

    Args:
        read_plan: reads the names of all files, twice: they need not fit into memory.
        speaker_of: from speaker_function.
    """
    counts = Counter(speaker_of(file) for file in read_plan())
    drawn = {s: set(draw_reference_clips(n)) for s, n in counts.items() if s and n >= MIN_REFERENCE_CLIPS}
    clips, seen = defaultdict(list), Counter[str]()
    for file in read_plan():
        speaker = speaker_of(file)
        if seen[speaker] in drawn.get(speaker, ()):
            clips[speaker].append(file)
        seen[speaker] += 1
    return dict(clips)


def enrol_files(folder: str, files: Sequence[str], model: str, version: str, emotion: str = "") -> Reference | None:
    """The reference of one speaker; runs in any process, on any machine that can read the folder.

    Args:
        folder, model, version: as for predict_files.
        files: clips of the speaker; those without speech or that cannot be read are left out.
        emotion: of all files, see speaker_reference; "": unknown.

    Returns:
        None with fewer than 3 clips: a reference from the file itself would hide its emotion.

    Raises:
        CheckpointError, ObjectStoreError: as for predict_files.
    """
    torch.set_num_threads(1)  # every core has its own process
    loaded = cached_model(model, version)
    # the prediction of a file reports why it cannot be read
    recordings = read_files(folder, files)
    waveforms = (reference_part(recording.waveform) for recording in recordings if isinstance(recording, Recording))
    clips = [waveform for waveform in waveforms if has_speech(loaded, waveform)]
    if len(distinct_clips(clips)) < MIN_REFERENCE_CLIPS:
        return None
    return speaker_reference(loaded, clips, emotions=[emotion or None] * len(clips))
