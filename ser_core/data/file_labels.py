"""Labels of single files, of which only the names are known: from tables, names of corpora, or folders."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ser_core.data.file_names import parse_filename
from ser_core.data.label_tables import (
    LabelRow,
    contradiction,
    describe_unused_columns,
    emotion_word,
    emotion_words,
    joined_row,
    parse_table,
    path_key,
    plain_path,
)
from ser_core.data.utterances import CorpusError, Utterance

MIN_FOLDER_SHARE = 0.4  # with fewer files in folders of emotions, the folders beside them are not meant as labels


@dataclass(frozen=True)
class FileLabel:
    """Label of one file; None where it is unknown."""

    emotion: str | None
    speaker: str | None = None
    sentence: str | None = None
    utterance_id: str | None = None  # of a corpus recording


@dataclass(frozen=True)
class FileLabels:
    """Labels of files, and all that could not be used."""

    labels: dict[str, FileLabel] = field(default_factory=dict)  # by name of the file
    unknown_words: dict[str, int] = field(default_factory=dict)  # word for an emotion -> how often
    problems: tuple[tuple[str, str], ...] = ()  # (where, what is wrong)
    notes: tuple[str, ...] = ()  # columns that are not used, files that no table lists


def label_files(
    names: Sequence[str], tables: Mapping[str, bytes] | None = None, words: Mapping[str, str] | None = None
) -> FileLabels:
    """Labels of files: of a table first, then of corpus file names, then of folders named after emotions.

    A file on which rows disagree has no label, as in read_folder.

    Args:
        names: with the folders, as far as known.
        tables: name -> content of CSV files with the columns path and emotion, and optionally speaker and sentence.
        words: word for an emotion, as the tables or folders have it -> one of EMOTIONS.
    """
    known = emotion_words(words or {})
    labels = {name: label for name in names if (label := _label_of_name(name, known))}
    unknown = _unknown_folders(names, labels, known)
    problems: list[tuple[str, str]] = []
    notes: list[str] = []
    listed: dict[str, list[tuple[str, LabelRow]]] = defaultdict(list)
    for table, content in (tables or {}).items():
        for row, name in _matched(_readable_rows(table, content, problems, notes), names, table, problems):
            listed[name].append((f"{table}, {row.where}", row))
    for name, rows in listed.items():
        labels.pop(name, None)  # what a table says of a file counts, not its name
        unknown.update(row.emotion or "(empty)" for _, row in rows if emotion_word(row.emotion) not in known)
        row, emotion = joined_row([row for _, row in rows]), known.get(emotion_word(rows[0][1].emotion))
        if reason := contradiction([row for _, row in rows], known):
            problems += [(where, reason) for where, _ in rows]
        elif emotion:
            labels[name] = FileLabel(emotion, row.speaker or None, row.sentence or None, _utterance_id(name))
    if listed and (others := [name for name in names if name not in listed]):
        which = f"{others[0]}{'' if len(others) == 1 else ', ...'}"
        notes.append(f"{len(others)} of {len(names)} files are not listed in a table: {which}")
    return FileLabels(labels, dict(unknown), tuple(problems), tuple(notes))


def _readable_rows(table: str, content: bytes, problems: list[tuple[str, str]], notes: list[str]) -> Iterable[LabelRow]:
    """The rows of a table; one that cannot be read becomes a problem, columns that are not used a note."""
    try:
        rows = parse_table(table, content)
    except CorpusError as error:
        problems.append((table, str(error)))
        return ()
    notes += filter(None, [describe_unused_columns(table, content)])
    return rows


def _label_of_name(name: str, known: Mapping[str, str]) -> FileLabel | None:
    if isinstance(utterance := parse_filename(Path(name)), Utterance):
        return FileLabel(utterance.emotion, utterance.speaker, utterance.sentence, utterance.id)
    folders, place = _emotion_folder(name, known)
    if place is None:
        return None
    speaker = "_".join(folders[1:place] + folders[place + 1 :])  # as read_folder names it; the first is the one chosen
    return FileLabel(known[folders[place]], speaker or None)


def _emotion_folder(name: str, known: Mapping[str, str]) -> tuple[list[str], int | None]:
    """Folders of a file, and which of them is the deepest one named after an emotion."""
    folders = [part for part in path_key(name).split("/")[:-1] if part]
    return folders, next((i for i in reversed(range(len(folders))) if folders[i] in known), None)


def _unknown_folders(names: Sequence[str], labels: Mapping[str, FileLabel], known: Mapping[str, str]) -> Counter[str]:
    """Folders beside those of emotions: word -> number of files."""
    found = {name: _emotion_folder(name, known) for name in names}
    depths = Counter(place for _, place in found.values() if place is not None)
    if not depths:
        return Counter()
    depth, n_files = depths.most_common(1)[0]
    beside = [folders[depth] for name, (folders, _) in found.items() if name not in labels and depth < len(folders)]
    return Counter(beside if n_files > MIN_FOLDER_SHARE * len(beside) else [])


def _utterance_id(name: str) -> str | None:
    utterance = parse_filename(Path(name))
    return utterance.id if isinstance(utterance, Utterance) else None


def _matched(
    rows: Iterable[LabelRow], names: Sequence[str], table: str, problems: list[tuple[str, str]]
) -> Iterable[tuple[LabelRow, str]]:
    """Each row with the file that it names; what names none or several becomes a problem."""
    by_end: dict[str, list[str]] = {}
    for name in names:
        parts = path_key(name).split("/")
        for i in range(len(parts)):
            by_end.setdefault("/".join(parts[i:]), []).append(name)
    for row in rows:
        found = _longest_match(plain_path(row.name), by_end)
        if len(found) == 1:
            yield row, found[0]
        elif found:
            problems.append((f"{table}, {row.where}", f"{len(found)} files have this name: give the folder too"))
        else:
            problems.append((f"{table}, {row.where}", "no such file among those chosen: choose it too"))


def _longest_match(path: str, by_end: Mapping[str, list[str]]) -> list[str]:
    """Files whose path ends as this one does: as much of it as any file shares; those in its case, where some are."""
    parts = path.split("/")
    for end in ("/".join(parts[i:]) for i in range(len(parts))):
        if end and (found := by_end.get(end.casefold())):
            return [name for name in found if plain_path(name).endswith(end)] or found
    return []
