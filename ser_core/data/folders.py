"""A folder of one's own as one more corpus: labels from a table (CSV), or from folders named after emotions."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache
from pathlib import Path

from ser_core import paths
from ser_core.audio import AUDIO_SUFFIXES, walk_files
from ser_core.data.corpora import CorporaListing
from ser_core.data.file_names import parse_filename
from ser_core.data.label_tables import (
    TABLE_COLUMNS,
    TABLE_SUFFIXES,
    UNKNOWN_EMOTION,
    LabelRow,
    contradiction,
    describe_unused_columns,
    emotion_word,
    emotion_words,
    is_label_table,
    joined_row,
    parse_table,
    path_key,
)
from ser_core.data.utterances import CORPUS_NAMES, CorpusError, Utterance
from ser_core.labels import EMOTIONS

N_DIGEST_DIGITS = 8
UNKNOWN_SPEAKER = "unknown"
MISSING_FILE = "the file does not exist"
SEVERAL_FILES = "several files have this name in another case"


def read_folder(path: str | Path, mapping: Mapping[str, str] | None = None) -> CorporaListing:
    """Recordings of a folder with labels of its own.

    Either a table (CSV) with the columns path and emotion and, optionally, speaker and corpus; paths are relative to
    the table, in another case where one file alone has this name. Or folders named after emotions; all other folders on
    the way to a recording are its speaker. Hidden folders are left out.

    Args:
        path: the folder, or its table.
        mapping: word for an emotion in the folder -> one of EMOTIONS; others than these are left out.

    Returns:
        The listing, utterances sorted by id; `excluded` has each recording that is left out, with the reason, also
            those of a folder that its table does not list, unless the path is that of the table.

    Raises:
        CorpusError: no usable recording, a table that cannot be read or lacks a column, two speakers of one plain name,
            or a corpus with the name of a known one.
    """
    path = Path(path)
    known = emotion_words({word: emotion_word(emotion) for word, emotion in (mapping or {}).items()})
    if unknown := set(known.values()) - set(EMOTIONS):
        raise CorpusError(f"Unknown emotion: {', '.join(sorted(unknown))}. There are: {', '.join(EMOTIONS)}.")
    try:
        root, listing = _list_folder(path, known)
    except OSError as error:
        raise CorpusError(
            f"{error.filename or path} cannot be read: {error.strerror}. Check the path and its permissions."
        ) from None
    if not listing.utterances:
        raise CorpusError(_describe_empty(path, root, listing))
    return listing


@lru_cache(maxsize=1 << 16)  # results of several models name the same clips
def parse_utterance_id(utterance_id: str) -> Utterance | None:
    """Utterance of an id, of a known corpus or of a folder of one's own; None for other text.

    The path of the utterance is its id: it names no file.
    """
    if isinstance(known := parse_filename(Path(utterance_id)), Utterance) and known.id == utterance_id:
        return known
    corpus, _, rest = utterance_id.partition("/")
    speaker, _, rest = rest.partition("/")
    emotion, _, name = rest.partition("/")
    if emotion not in EMOTIONS or not name:
        return None
    return _utterance(corpus, speaker, emotion, name, Path(utterance_id))


def _utterance(corpus: str, speaker: str, emotion: str, name: str, path: Path) -> Utterance:
    """Utterance whose id holds all its labels, so that files which store ids alone can be read without the folder."""
    return Utterance(f"{corpus}/{speaker}/{emotion}/{name}", path, corpus, f"{corpus}-{speaker}", "unknown", emotion)


def _list_folder(path: Path, known: Mapping[str, str]) -> tuple[Path, CorporaListing]:
    """The folder to which the paths are relative, and the listing.

    Raises:
        CorpusError: see read_folder.
        OSError: the folder or its table cannot be read.
    """
    if not path.exists():
        raise CorpusError(f"{path} does not exist.")
    table = path if path.is_file() else _find_table(path)
    if table is None:
        return path, _list_rows(_tree_rows(path, known), _FolderFiles(path), known)
    content, files = table.read_bytes(), _FolderFiles(table.parent)
    listing = _list_rows(parse_table(table.name, content), files, known)
    unlisted = {} if path == table else dict.fromkeys(files.not_asked_for(), f"not listed in {table.name}")
    note = describe_unused_columns(table.name, content)
    return table.parent, replace(listing, excluded=listing.excluded | unlisted, note=note)


class _FolderFiles:
    """The files of a folder by the paths of its table."""

    def __init__(self, root: Path):
        self.root = root
        self._found: set[Path] = set()

    def find(self, name: str) -> Path | str:
        """File of a table's path, or the reason why there is none: as written, with Windows separators, in another
        Unicode normal form (macOS), or in another case, if one file alone has that name.

        Raises:
            OSError: a name that no file can have.
        """
        alike = [path] if (path := self._as_written(name)) else self._by_key.get(path_key(name), [])
        if len(alike) != 1:
            return SEVERAL_FILES if alike else MISSING_FILE
        self._found.add(alike[0].resolve())
        return alike[0]

    def _as_written(self, name: str) -> Path | None:
        for written in dict.fromkeys((name, name.replace("\\", "/"))):
            for form in (written, unicodedata.normalize("NFC", written), unicodedata.normalize("NFD", written)):
                if form and (self.root / form).is_file():
                    return self.root / form
        return None

    @cached_property
    def _by_key(self) -> dict[str, list[Path]]:
        """Read where a path names no file as it is written."""
        found: dict[str, list[Path]] = defaultdict(list)
        for path in walk_files(self.root):
            found[path_key(path.relative_to(self.root).as_posix())].append(path)
        return found

    def not_asked_for(self) -> Iterator[str]:
        """Recordings that `find` has not found, without hidden ones."""
        for path in _recordings(self.root):
            name = path.relative_to(self.root)
            if path.resolve() not in self._found and not any(folder.startswith(".") for folder in name.parts[:-1]):
                yield name.as_posix()


def _recordings(root: Path) -> Iterator[Path]:
    """Files below a folder that are named as sound, but for the hidden ones of macOS."""
    return (p for p in walk_files(root) if p.suffix.lower() in AUDIO_SUFFIXES and not p.name.startswith("."))


def _list_rows(rows: Iterable[LabelRow], files: _FolderFiles, known: Mapping[str, str]) -> CorporaListing:
    found: dict[Path, list[tuple[LabelRow, Path]]] = defaultdict(list)
    excluded: dict[str, str] = {}
    for row in rows:
        path = _find_file(row, files)
        if isinstance(path, str):
            excluded[row.where] = path
        else:
            found[path.resolve()].append((row, path))
    used: list[tuple[LabelRow, Utterance]] = []
    for (first, path), *others in found.values():
        alike = [first, *(row for row, _ in others)]
        if reason := contradiction(alike, known):
            excluded |= {row.where: reason for row in alike}
            continue
        utterance = _parse_row(joined_row(alike), path, files.root, known)
        if isinstance(utterance, str):
            excluded[first.where] = utterance
        else:
            used.append((first, utterance))
        excluded |= {row.where: f"listed before: {first.where}" for row, _ in others}
    _check_distinct(used)
    utterances = (utterance for _, utterance in used)
    return CorporaListing(tuple(sorted(utterances, key=lambda utterance: utterance.id)), excluded)


def _find_file(row: LabelRow, files: _FolderFiles) -> Path | str:
    """The file of a row, or the reason why there is none."""
    if row.problem:
        return row.problem
    try:
        return files.find(row.name)
    except OSError as error:  # of a name that is too long
        return f"cannot be read: {error.strerror}"


def _check_distinct(found: Iterable[tuple[LabelRow, Utterance]]) -> None:
    """Checks that no two speakers or corpora, as they are written, have the same name in ids.

    Raises:
        CorpusError: two do; the message names both.
    """
    written: dict[str, str] = {}
    for row, utterance in found:
        speaker = row.speaker or UNKNOWN_SPEAKER
        for name, text in ((utterance.speaker, speaker), (utterance.corpus, row.corpus)):
            text = unicodedata.normalize("NFC", text)
            if text and written.setdefault(name, text) != text:
                raise CorpusError(
                    f"{written[name]!r} and {text!r} are one name without special characters: {name}. Rename one of "
                    "them in the table, or its folder."
                )


def _parse_row(row: LabelRow, path: Path, root: Path, known: Mapping[str, str]) -> Utterance | str:
    """Utterance of a row and its file, or the reason why it is not used."""
    emotion = known.get(emotion_word(row.emotion))
    if emotion is None:
        return f"{UNKNOWN_EMOTION} {row.emotion!r}"
    try:
        digest = _content_digest(path)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    corpus = _plain_name(row.corpus) or _plain_name(root.resolve().name) or "folder"
    if corpus in CORPUS_NAMES:
        raise CorpusError(
            f"{corpus} is the name of a known corpus. Rename the folder, or give another name in the column corpus."
        )
    name = row.name.replace("\\", "/") + f"#{digest}"
    return _utterance(corpus, _plain_name(row.speaker) or UNKNOWN_SPEAKER, emotion, name, path)


def _content_digest(path: Path) -> str:
    """Start of a hash: a file that has changed is another recording, also for the store of decoded ones."""
    return paths.file_sha256(path)[:N_DIGEST_DIGITS]


def content_digest(utterance_id: str) -> str:
    """The hash of its content in the id of a recording of one's own, whatever its folder is named."""
    return utterance_id.rpartition("#")[2]


def _plain_name(text: str) -> str:
    """Text in NFC, without the characters that separate the parts of ids and of speaker names."""
    return re.sub(r"[^\w.]+", "_", unicodedata.normalize("NFC", text)).strip("_")


def _tree_rows(root: Path, known: Mapping[str, str]) -> list[LabelRow]:
    """Rows of the recordings in folders; the emotion is at the depth where most known emotions are."""
    names = [path.relative_to(root) for path in sorted(_recordings(root))]
    depths = Counter(i for name in names for i, part in enumerate(name.parts[:-1]) if emotion_word(part) in known)
    depth = depths.most_common(1)[0][0] if depths else 0
    rows = []
    for name in names:
        folders = name.parts[:-1]
        emotion = folders[depth] if depth < len(folders) else ""
        speaker = "/".join(part for i, part in enumerate(folders) if i != depth)
        problem = _folder_problem(folders, known)
        rows.append(LabelRow(name.as_posix(), name.as_posix(), speaker, emotion, problem=problem))
    return rows


def _folder_problem(folders: Sequence[str], known: Mapping[str, str]) -> str:
    """Why the folders of a recording give it no label; "" where they may."""
    if any(folder.startswith(".") for folder in folders):
        return "in a hidden folder"
    named = {known[word] for folder in folders if (word := emotion_word(folder)) in known}
    return f"its folders name several emotions: {', '.join(sorted(named))}" if len(named) > 1 else ""


def _find_table(folder: Path) -> Path | None:
    """The table of a folder; None if it has none with the required columns.

    Raises:
        CorpusError: there are several.
    """
    fitting = [path for path in _tables(folder) if is_label_table(path.read_bytes())]
    if len(fitting) > 1:
        raise CorpusError(f"{folder} has several tables: {', '.join(p.name for p in fitting)}. Give the path of one.")
    return fitting[0] if fitting else None


def _describe_empty(path: Path, root: Path, listing: CorporaListing) -> str:
    reasons = Counter(listing.excluded.values())
    unused = _describe_unused_table(path)
    if not reasons:
        return (
            f"{path} has no recordings. Expected: a table (CSV) with the columns {', '.join(TABLE_COLUMNS)} (speaker "
            f"is optional), or folders named after the emotions: {', '.join(EMOTIONS)}.{unused}"
        )
    first = next(where for where, reason in listing.excluded.items() if reason == reasons.most_common(1)[0][0])
    counted = ", ".join(f"{reason} ({n})" for reason, n in reasons.most_common(5))
    return (
        f"None of the {len(listing.excluded)} recordings of {path} can be used: {counted}. The first: {first}. "
        f"Paths are relative to {root}; emotions are {', '.join(EMOTIONS)}; others are mapped: --map joy=happy.{unused}"
    )


def _describe_unused_table(folder: Path) -> str:
    """Why the first table of a folder without usable recordings has no labels; "" where none is refused."""
    for table in _tables(folder) if folder.is_dir() else ():
        try:
            parse_table(table.name, table.read_bytes())
        except CorpusError as error:
            return f" No labels are taken from its table: {error}"
    return ""


def _tables(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.iterdir()) if path.suffix.lower() in TABLE_SUFFIXES and path.is_file()]
