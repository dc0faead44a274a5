"""TESS, from the Dataverse of Borealis."""

from pathlib import Path

from ser_core.data.downloads import RemoteFile, fetch_json
from ser_core.data.sources.catalogue import CORPUS_SOURCES
from ser_core.data.sources.recordings import DownloadProgress, download_files, missing_recordings, read_listing

DATAVERSE_URL, TESS_DOI = "https://borealisdata.ca", "doi:10.5683/SP2/E8H2MF"


def download_tess(root: Path, progress: DownloadProgress) -> None:
    """Download the recordings of the data set at Borealis into tess/. Errors as for download_corpus."""
    listing = f"{DATAVERSE_URL}/api/datasets/:persistentId/versions/:latest-published/files?persistentId={TESS_DOI}"
    listed = read_listing(_dataverse_files, fetch_json(listing), DATAVERSE_URL)
    files = {file.name: file for file in listed}
    missing = missing_recordings(files, root / "tess", CORPUS_SOURCES["tess"].home)
    download_files([files[name] for name in missing], root, root / "tess", progress)


def _dataverse_files(listing: dict, address: str) -> list[RemoteFile]:
    files = []
    for entry in listing["data"]:
        file = entry["dataFile"]
        checksum = file.get("checksum") or {"type": "MD5", "value": file["md5"]}
        algorithm = checksum["type"].lower().replace("-", "")
        url = f"{address}/api/access/datafile/{int(file['id'])}"
        files.append(RemoteFile(str(entry["label"]), url, int(file["filesize"]), algorithm, checksum["value"]))
    return files
