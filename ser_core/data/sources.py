"""Official sources of the corpora: addresses, file listings, licences, and their download."""

import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from ser_core.data.downloads import (
    GIT_BLOB,
    DownloadError,
    RemoteFile,
    check_free_space,
    download_file,
    read_json,
    read_url,
    unpack_zip,
)
from ser_core.data.file_names import parse_filename
from ser_core.data.utterances import Utterance

ZENODO_URL, RAVDESS_RECORD_ID = "https://zenodo.org", 1188976
RAVDESS_ARCHIVES = {"ravdess": "Audio_Speech_Actors_01-24.zip", "ravdess_song": "Audio_Song_Actors_01-24.zip"}
GITHUB_API = "https://api.github.com"
GITHUB_RAW = "https://raw.githubusercontent.com"
GITHUB_MEDIA = "https://media.githubusercontent.com/media"  # the files behind the pointers of Git LFS
CREMA_D_REPOSITORY, CREMA_D_BRANCH, CREMA_D_FOLDER = "CheyneyComputerScience/CREMA-D", "master", "AudioWAV"
GITHUB_CORPORA = {
    "hindi": "Candyxoxo/Speech-Emotion-Recognition-Hindi",
    "turev": "Xeonen/TurEV-DB",
    "ased": "Ethio2021/ASED_V1",
}
"""Corpus -> repository that holds its recordings as files."""

DATAVERSE_URL, TESS_DOI = "https://borealisdata.ca", "doi:10.5683/SP2/E8H2MF"
N_PARALLEL_DOWNLOADS = 8  # for corpora of thousands of small files
DISK_SPACE_FACTOR = 4  # disk space for an archive and its content, relative to the archive
MAX_LFS_POINTER_BYTES = 200
LFS_POINTER = re.compile(rb"oid sha256:([0-9a-f]{64})\nsize (\d+)\n")


@dataclass(frozen=True)
class CorpusSource:
    """Source and licence of a corpus, shown before the download."""

    title: str
    home: str
    licence: str
    licence_url: str


CORPUS_SOURCES = {
    "ravdess": CorpusSource(
        "RAVDESS, speech and song",
        "https://zenodo.org/records/1188976",
        "CC BY-NC-SA 4.0: not for commercial use, share alike, name the authors",
        "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    ),
    "crema_d": CorpusSource(
        "CREMA-D",
        "https://github.com/CheyneyComputerScience/CREMA-D",
        "Open Database License 1.0: share alike, name the authors",
        "https://opendatacommons.org/licenses/odbl/1-0/",
    ),
    "tess": CorpusSource(
        "TESS",
        "https://doi.org/10.5683/SP2/E8H2MF",
        "CC BY-NC-ND 4.0: not for commercial use, no changed copies, name the authors",
        "https://creativecommons.org/licenses/by-nc-nd/4.0/",
    ),
    "hindi": CorpusSource(
        "Hindi speech emotion corpus",
        "https://github.com/Candyxoxo/Speech-Emotion-Recognition-Hindi",
        "for research and education: name the authors",
        "https://github.com/Candyxoxo/Speech-Emotion-Recognition-Hindi",
    ),
    "turev": CorpusSource(
        "TurEV-DB, Turkish",
        "https://github.com/Xeonen/TurEV-DB",
        "CC BY-NC-ND 4.0: not for commercial use, no changed copies, name the authors",
        "https://creativecommons.org/licenses/by-nc-nd/4.0/",
    ),
    "ased": CorpusSource(
        "ASED, Amharic",
        "https://github.com/Ethio2021/ASED_V1",
        "freely available: cite the paper, doi.org/10.1145/3529759",
        "https://github.com/Ethio2021/ASED_V1",
    ),
}
"""Corpora that can be downloaded."""

_UNPACK = "Unpack its archive into the folder of the corpora; the layout does not matter."
DOWNLOAD_INSTRUCTIONS = {
    "savee": f"To download SAVEE, register at http://kahlan.eps.surrey.ac.uk/savee/Download.html\n{_UNPACK}",
    "emovo": (
        "To download EMOVO (not for commercial use; Costantini et al. 2014), open\n"
        f"http://voice.fub.it/activities/corpora/emovo/index.html\n{_UNPACK}"
    ),
}
"""Corpora that can only be downloaded by hand: how."""

DownloadProgress = Callable[[int, int], object]
"""Called with the number of bytes received and the number of further bytes expected."""


def download_corpus(name: str, root: Path, progress: DownloadProgress, **addresses: str) -> None:
    """Download a corpus, or its missing files.

    Args:
        name: a key of SOURCES.
        root: folder of the corpora, as read_corpora reads it; it exists.
        progress: see Progress.
        addresses: of other servers, for tests: see the function of each corpus.

    Raises:
        DownloadError: a file is not available or damaged, or the disk is full.
    """
    _DOWNLOADS[name](root, progress, **addresses)


def download_ravdess(root: Path, progress: DownloadProgress, zenodo: str = ZENODO_URL) -> None:
    """Download two archives of the record at Zenodo into ravdess/ and ravdess_song/. Errors as for download_corpus."""
    missing = {folder: name for folder, name in RAVDESS_ARCHIVES.items() if not (root / folder).is_dir()}
    for folder in RAVDESS_ARCHIVES.keys() - missing:
        _archive_path(root, folder).unlink(missing_ok=True)  # of a process that was killed after it had unpacked it
    if not missing:
        return
    record = f"{zenodo}/api/records/{RAVDESS_RECORD_ID}"
    listed = {file.name: file for file in _read_listing(_zenodo_files, read_json(record), record)}
    if absent := set(missing.values()) - listed.keys():
        raise DownloadError(f"{record} does not list {', '.join(sorted(absent))}: the record has changed.")
    check_free_space(root, DISK_SPACE_FACTOR * sum(listed[name].n_bytes for name in missing.values()))
    for folder, name in missing.items():
        _download_archive(listed[name], root, root / folder, progress)


def _zenodo_files(record: dict, address: str) -> list[RemoteFile]:
    files = []
    for entry in record["files"]:
        algorithm, _, digest = entry["checksum"].partition(":")
        url = f"{address}/files/{quote(entry['key'], safe='')}/content"
        files.append(RemoteFile(entry["key"], url, int(entry["size"]), algorithm, digest))
    return files


def _archive_path(root: Path, folder: str) -> Path:
    return root / ".download" / f"{folder}.zip"


def _download_archive(file: RemoteFile, root: Path, folder: Path, progress: DownloadProgress) -> None:
    archive = _archive_path(root, folder.name)
    if not archive.is_file():
        progress(0, file.n_bytes)
        download_file(file, archive, lambda n_bytes: progress(n_bytes, 0))
    unpack_zip(archive, folder, _is_recording)
    archive.unlink()


def download_crema_d(
    root: Path, progress: DownloadProgress, api: str = GITHUB_API, raw: str = GITHUB_RAW, media: str = GITHUB_MEDIA
) -> None:
    """Download the wav files of the repository at GitHub into crema_d/. Errors as for download_corpus.

    The files are in Git LFS: the repository contains pointers, with size and SHA-256 of each file.
    """
    trees = f"{api}/repos/{CREMA_D_REPOSITORY}/git/trees"
    top = _read_listing(_git_tree_hashes, read_json(f"{trees}/{CREMA_D_BRANCH}"), trees)
    if CREMA_D_FOLDER not in top:
        raise DownloadError(
            f"{CORPUS_SOURCES['crema_d'].home} has no folder {CREMA_D_FOLDER}: the repository has changed."
        )
    listed = _read_listing(_git_tree_hashes, read_json(f"{trees}/{top[CREMA_D_FOLDER]}"), trees)
    missing = _missing_recordings(listed, root / "crema_d", CORPUS_SOURCES["crema_d"].home)
    where = f"{CREMA_D_REPOSITORY}/{CREMA_D_BRANCH}/{CREMA_D_FOLDER}"
    with ThreadPoolExecutor(N_PARALLEL_DOWNLOADS) as pool:
        files = list(pool.map(lambda name: _resolve_lfs_pointer(name, f"{raw}/{where}", f"{media}/{where}"), missing))
    _download_files(files, root, root / "crema_d", progress)


def _git_tree_hashes(tree: dict, address: str) -> dict[str, str]:
    """Name -> hash of each entry of a folder of a repository."""
    if tree.get("truncated"):
        raise DownloadError(f"{address} does not list all files.")
    return {str(entry["path"]): str(entry["sha"]) for entry in tree["tree"]}


def _resolve_lfs_pointer(name: str, raw: str, media: str) -> RemoteFile:
    pointer = LFS_POINTER.search(read_url(f"{raw}/{name}"))
    if not pointer:
        raise DownloadError(f"{raw}/{name} is not a pointer of Git LFS: the repository has changed.")
    return RemoteFile(name, f"{media}/{name}", int(pointer[2]), "sha256", pointer[1].decode())


def download_from_github(
    name: str,
    root: Path,
    progress: DownloadProgress,
    api: str = GITHUB_API,
    raw: str = GITHUB_RAW,
    media: str = GITHUB_MEDIA,
) -> None:
    """Download the recordings of a repository at GitHub, in its folders, into <name>/. Errors as for download_corpus.

    Args:
        name: a key of GITHUB_CORPORA.
    """
    repository, folder = GITHUB_CORPORA[name], root / name
    address = f"{api}/repos/{repository}/git/trees/HEAD?recursive=1"
    listed = _read_listing(_git_files, read_json(address), address)
    recordings = [path for path in listed if _is_safe_recording_path(path, name)]
    if not recordings:
        raise DownloadError(
            f"{CORPUS_SOURCES[name].home} lists no recordings as files. Download them there and unpack them into the "
            "folder of the corpora."
        )
    files = [
        _git_file(path, listed[path], f"{raw}/{repository}/HEAD", f"{media}/{repository}/HEAD")
        for path in recordings
        if not (folder / path).is_file()
    ]
    _download_files(files, root, folder, progress)


def _git_files(tree: dict, address: str) -> dict[str, tuple[int, str]]:
    """Path -> size and hash of every file of a repository."""
    if tree.get("truncated"):
        raise DownloadError(f"{address} does not list all files.")
    files = (entry for entry in tree["tree"] if entry["type"] == "blob")
    return {str(entry["path"]): (int(entry["size"]), str(entry["sha"])) for entry in files}


def _git_file(path: str, entry: tuple[int, str], raw: str, media: str) -> RemoteFile:
    """File of a repository, or the file behind a pointer of Git LFS.

    Args:
        entry: size and hash, from _git_files.
    """
    n_bytes, digest = entry
    if n_bytes <= MAX_LFS_POINTER_BYTES:
        return replace(_resolve_lfs_pointer(quote(path), raw, media), name=path)
    return RemoteFile(path, f"{raw}/{quote(path)}", n_bytes, GIT_BLOB, digest)


def _is_safe_recording_path(path: str, corpus: str) -> bool:
    """Whether a path from a server is a recording of a corpus, and safe as a path below a local folder."""
    found = parse_filename(Path(path))
    is_recording = isinstance(found, Utterance) and found.corpus == corpus and path.lower().endswith(".wav")
    return is_recording and all(re.fullmatch(r"[\w(][\w .,()+&-]*", part) for part in path.split("/"))


def download_tess(root: Path, progress: DownloadProgress, dataverse: str = DATAVERSE_URL) -> None:
    """Download the recordings of the data set at Borealis into tess/. Errors as for download_corpus."""
    listing = f"{dataverse}/api/datasets/:persistentId/versions/:latest-published/files?persistentId={TESS_DOI}"
    listed = _read_listing(_dataverse_files, read_json(listing), dataverse)
    files = {file.name: file for file in listed}
    missing = _missing_recordings(files, root / "tess", CORPUS_SOURCES["tess"].home)
    _download_files([files[name] for name in missing], root, root / "tess", progress)


def _dataverse_files(listing: dict, address: str) -> list[RemoteFile]:
    files = []
    for entry in listing["data"]:
        file = entry["dataFile"]
        checksum = file.get("checksum") or {"type": "MD5", "value": file["md5"]}
        algorithm = checksum["type"].lower().replace("-", "")
        url = f"{address}/api/access/datafile/{int(file['id'])}"
        files.append(RemoteFile(str(entry["label"]), url, int(file["filesize"]), algorithm, checksum["value"]))
    return files


def _missing_recordings(listed: Iterable[str], folder: Path, home: str) -> list[str]:
    """Names of the recordings that are not downloaded yet."""
    names = [name for name in listed if _is_safe_recording_name(name)]
    if not names:
        raise DownloadError(f"{home} lists no recordings: the service has changed.")
    return [name for name in names if not (folder / name).is_file()]


def _download_files(files: Sequence[RemoteFile], root: Path, folder: Path, progress: DownloadProgress) -> None:
    """Download in parallel; after an interruption the finished files are kept."""
    n_bytes = sum(file.n_bytes for file in files)
    check_free_space(root, n_bytes)
    progress(0, n_bytes)
    pool = ThreadPoolExecutor(N_PARALLEL_DOWNLOADS)
    try:
        list(pool.map(lambda file: download_file(file, folder / file.name, lambda n: progress(n, 0)), files))
    finally:
        pool.shutdown(cancel_futures=True)


def _read_listing(read: Callable, response: dict, address: str):
    """Files listed in the response of a service, parsed by `read`."""
    try:
        return read(response, address)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, DownloadError):
            raise
        raise DownloadError(f"{address} lists its files in an unknown format: the service has changed.") from None


def _is_recording(name: PurePosixPath) -> bool:
    return name.suffix.lower() == ".wav" and isinstance(parse_filename(Path(name.name)), Utterance)


def _is_safe_recording_name(name: str) -> bool:
    """Whether a name from a server is safe as a local file name."""
    return bool(re.fullmatch(r"\w+\.wav", name, re.ASCII)) and _is_recording(PurePosixPath(name))


_DOWNLOADS: dict[str, Callable[..., None]] = {
    "ravdess": download_ravdess,
    "crema_d": download_crema_d,
    "tess": download_tess,
    **{name: partial(download_from_github, name) for name in GITHUB_CORPORA},
}
