"""CREMA-D and the corpora in other languages, from GitHub."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from ser_core.data.downloads import GIT_BLOB, DownloadError, RemoteFile, fetch_json, read_url
from ser_core.data.file_names import parse_filename
from ser_core.data.sources.catalogue import CORPUS_SOURCES
from ser_core.data.sources.recordings import (
    N_PARALLEL_DOWNLOADS,
    DownloadProgress,
    download_files,
    missing_recordings,
    read_listing,
)
from ser_core.data.utterances import Utterance

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
MAX_LFS_POINTER_BYTES = 200
LFS_POINTER = re.compile(rb"oid sha256:([0-9a-f]{64})\nsize (\d+)\n")


def download_crema_d(root: Path, progress: DownloadProgress) -> None:
    """Download the wav files of the repository at GitHub into crema_d/. Errors as for download_corpus.

    The files are in Git LFS: the repository contains pointers, with size and SHA-256 of each file.
    """
    trees = f"{GITHUB_API}/repos/{CREMA_D_REPOSITORY}/git/trees"
    top = read_listing(_git_tree_hashes, fetch_json(f"{trees}/{CREMA_D_BRANCH}"), trees)
    if CREMA_D_FOLDER not in top:
        raise DownloadError(
            f"{CORPUS_SOURCES['crema_d'].home} has no folder {CREMA_D_FOLDER}: the repository has changed."
        )
    listed = read_listing(_git_tree_hashes, fetch_json(f"{trees}/{top[CREMA_D_FOLDER]}"), trees)
    missing = missing_recordings(listed, root / "crema_d", CORPUS_SOURCES["crema_d"].home)
    where = f"{CREMA_D_REPOSITORY}/{CREMA_D_BRANCH}/{CREMA_D_FOLDER}"
    with ThreadPoolExecutor(N_PARALLEL_DOWNLOADS) as pool:
        files = list(pool.map(lambda name: _resolve_lfs_pointer(name, where), missing))
    download_files(files, root, root / "crema_d", progress)


def _git_tree_hashes(tree: dict, address: str) -> dict[str, str]:
    """Name -> hash of each entry of a folder of a repository."""
    return {str(entry["path"]): str(entry["sha"]) for entry in _entries(tree, address)}


def _entries(tree: dict, address: str) -> list[dict]:
    if tree.get("truncated"):
        raise DownloadError(f"{address} does not list all files.")
    return tree["tree"]


def _resolve_lfs_pointer(name: str, where: str) -> RemoteFile:
    """The file behind a pointer; where: repository, branch and folder."""
    address = f"{GITHUB_RAW}/{where}/{quote(name)}"
    pointer = LFS_POINTER.search(read_url(address))
    if not pointer:
        raise DownloadError(f"{address} is not a pointer of Git LFS: the repository has changed.")
    return RemoteFile(name, f"{GITHUB_MEDIA}/{where}/{quote(name)}", int(pointer[2]), "sha256", pointer[1].decode())


def download_from_github(name: str, root: Path, progress: DownloadProgress) -> None:
    """Download the recordings of a repository at GitHub, in its folders, into <name>/. Errors as for download_corpus.

    Args:
        name: a key of GITHUB_CORPORA.
    """
    repository, folder = GITHUB_CORPORA[name], root / name
    address = f"{GITHUB_API}/repos/{repository}/git/trees/HEAD?recursive=1"
    listed = read_listing(_git_files, fetch_json(address), address)
    recordings = [path for path in listed if _is_safe_recording_path(path, name)]
    if not recordings:
        raise DownloadError(
            f"{CORPUS_SOURCES[name].home} lists no recordings as files. Download them there and unpack them into the "
            "folder of the corpora."
        )
    files = [
        _git_file(path, listed[path], f"{repository}/HEAD") for path in recordings if not (folder / path).is_file()
    ]
    download_files(files, root, folder, progress)


def _git_files(tree: dict, address: str) -> dict[str, tuple[int, str]]:
    """Path -> size and hash of every file of a repository."""
    files = (entry for entry in _entries(tree, address) if entry["type"] == "blob")
    return {str(entry["path"]): (int(entry["size"]), str(entry["sha"])) for entry in files}


def _git_file(path: str, entry: tuple[int, str], where: str) -> RemoteFile:
    """File of a repository, or the file behind a pointer of Git LFS.

    Args:
        entry: size and hash, from _git_files.
        where: repository and branch.
    """
    n_bytes, digest = entry
    if n_bytes <= MAX_LFS_POINTER_BYTES:
        return _resolve_lfs_pointer(path, where)
    return RemoteFile(path, f"{GITHUB_RAW}/{where}/{quote(path)}", n_bytes, GIT_BLOB, digest)


def _is_safe_recording_path(path: str, corpus: str) -> bool:
    """Whether a path from a server is a recording of a corpus, and safe as a path below a local folder."""
    found = parse_filename(Path(path))
    is_recording = isinstance(found, Utterance) and found.corpus == corpus and path.lower().endswith(".wav")
    return is_recording and all(re.fullmatch(r"[\w(][\w .,()+&-]*", part) for part in path.split("/"))
