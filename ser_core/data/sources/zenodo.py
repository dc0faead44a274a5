"""RAVDESS, from Zenodo."""

from pathlib import Path
from urllib.parse import quote

from ser_core.data.downloads import DownloadError, RemoteFile, check_free_space, download_file, fetch_json
from ser_core.data.sources.archives import unpack_zip
from ser_core.data.sources.recordings import DownloadProgress, is_recording, read_listing

ZENODO_URL, RAVDESS_RECORD_ID = "https://zenodo.org", 1188976
RAVDESS_ARCHIVES = {"ravdess": "Audio_Speech_Actors_01-24.zip", "ravdess_song": "Audio_Song_Actors_01-24.zip"}
DISK_SPACE_FACTOR = 4  # disk space for an archive and its content, relative to the archive


def download_ravdess(root: Path, progress: DownloadProgress) -> None:
    """Download two archives of the record at Zenodo into ravdess/ and ravdess_song/. Errors as for download_corpus."""
    missing = {folder: name for folder, name in RAVDESS_ARCHIVES.items() if not (root / folder).is_dir()}
    for folder in RAVDESS_ARCHIVES.keys() - missing:
        _archive_path(root, folder).unlink(missing_ok=True)  # of a process that was killed after it had unpacked it
    if not missing:
        return
    record = f"{ZENODO_URL}/api/records/{RAVDESS_RECORD_ID}"
    listed = {file.name: file for file in read_listing(_zenodo_files, fetch_json(record), record)}
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
    unpack_zip(archive, folder, is_recording)
    archive.unlink()
