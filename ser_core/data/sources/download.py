"""Download of a corpus from its official source."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from ser_core.data.sources.dataverse import download_tess
from ser_core.data.sources.github import GITHUB_CORPORA, download_crema_d, download_from_github
from ser_core.data.sources.recordings import DownloadProgress
from ser_core.data.sources.zenodo import download_ravdess


def download_corpus(name: str, root: Path, progress: DownloadProgress) -> None:
    """Download a corpus, or its missing files.

    Args:
        name: a key of CORPUS_SOURCES.
        root: folder of the corpora, as read_corpora reads it; it exists.
        progress: see DownloadProgress.

    Raises:
        DownloadError: a file is not available or damaged, or the disk is full.
    """
    _DOWNLOADS[name](root, progress)


_DOWNLOADS: dict[str, Callable[[Path, DownloadProgress], None]] = {
    "ravdess": download_ravdess,
    "crema_d": download_crema_d,
    "tess": download_tess,
    **{name: partial(download_from_github, name) for name in GITHUB_CORPORA},
}
