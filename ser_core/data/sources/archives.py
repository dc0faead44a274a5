"""Archives, unpacked safely."""

import lzma
import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from ser_core.data.downloads import DOWNLOAD_CHUNK_BYTES, DownloadError, check_free_space

MAX_COMPRESSION_RATIO = 20  # unpacked to packed; audio compresses to a third at best


def unpack_zip(archive: Path, folder: Path, wanted: Callable[[PurePosixPath], bool]) -> None:
    """Unpack a zip archive; `folder` appears once all members are unpacked.

    Args:
        archive: the zip file.
        folder: target, which does not exist.
        wanted: whether to unpack a member, given its name.

    Raises:
        DownloadError: not a zip archive, damaged, encrypted, too large, or with names outside the folder.
    """
    temporary = folder.with_name(f"{folder.name}.unpacking")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        with zipfile.ZipFile(archive) as members:
            chosen = [m for m in members.infolist() if not m.is_dir() and wanted(_safe_name(m))]
            _check_size(archive, sum(member.file_size for member in chosen))
            for member in chosen:
                _unpack_member(members, member, temporary / _safe_name(member))
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, RuntimeError, EOFError, OSError, ValueError) as error:
        shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, DownloadError):
            raise
        raise DownloadError(
            f"{archive.name} cannot be unpacked ({error!s:.100}). Download it again, or check the disk."
        ) from None
    if not chosen:
        raise DownloadError(f"{archive.name} contains none of the expected recordings.")
    temporary.replace(folder)


def _check_size(archive: Path, n_bytes: int) -> None:
    if n_bytes > MAX_COMPRESSION_RATIO * archive.stat().st_size:
        raise DownloadError(f"{archive.name} would expand to {n_bytes / 1e9:.1f} GB: implausible, not unpacked.")
    check_free_space(archive.parent, n_bytes)


def _safe_name(member: zipfile.ZipInfo) -> PurePosixPath:
    """Name of a member, checked to be a regular file inside the folder on every operating system."""
    name = PurePosixPath(member.filename)
    leads_out = name.is_absolute() or ".." in name.parts or "\\" in member.filename or ":" in member.filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if leads_out or kind not in (0, stat.S_IFREG):
        raise DownloadError(f"The archive contains {member.filename[:80]!r}, outside its folder: not unpacked.")
    return name


def _unpack_member(members: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with members.open(member) as source, path.open("xb") as target:  # reads at most the declared size
        shutil.copyfileobj(source, target, DOWNLOAD_CHUNK_BYTES)
