"""Unpacking a model's archive: nothing leaves the folder, nothing but plain files is made, sizes are limited.

Archives come from strangers. Each member is looked at before it is written; one that breaks a rule refuses the whole
archive, with its name. What was unpacked lies in the cache, named by the archive's hash, whole or not at all.
"""

from __future__ import annotations

import gzip
import lzma
import re
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from harness.archives.errors import ArchiveError
from harness.archives.lock import LOCK, hash_of, read_lock
from harness.cases.cache import atomic_folder, cache_root
from harness.workers.once import only_one

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.archives.lock import Locked

ENDINGS = (".tar.gz", ".tgz")
# The largest of the published detection models unpack to about two gigabytes, in some dozens of files.
MOST_BYTES = 8 << 30
MOST_FILES = 5000
# Names and other facts of a member; tarfile takes them into memory as long as they say they are.
_MOST_HEADER = 1 << 20
_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)
_BLOCK = 1 << 20


def archives_in(folder: Path) -> tuple[Path, ...]:
    """The archives of a folder, by name; not those beside which a folder of the same name shows them unpacked."""
    found = sorted(path for path in folder.iterdir() if path.name.endswith(ENDINGS) and path.is_file())
    return tuple(path for path in found if not path.with_name(stem_of(path.name)).is_dir())


def stem_of(name: str) -> str:
    """An archive's name without its ending."""
    return next((name.removesuffix(ending) for ending in ENDINGS if name.endswith(ending)), name)


def unpacked(archive: Path, *, most_bytes: int = MOST_BYTES, most_files: int = MOST_FILES) -> Path:
    """The folder of what is in the archive, unpacked on first use.

    Raises ArchiveError where it is not what the lock file beside it says, and where it breaks a rule.
    """
    found = hash_of(archive)
    _hold_to_lock(archive, found, read_lock(archive.parent / LOCK))
    target = cache_root() / "zoo" / found[:40]
    with only_one(target):
        if not target.is_dir():
            with atomic_folder(target) as scratch:
                try:
                    _unpack(archive, scratch, most_bytes, most_files)
                except (tarfile.TarError, EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error) as error:
                    raise ArchiveError(
                        f"The archive is damaged or none: {error}.", where=str(archive), advice="Download it again."
                    ) from None
                except OSError as error:
                    raise ArchiveError(
                        f"The archive cannot be unpacked: {error.strerror or error}.",
                        where=f"{archive} to {target}",
                        advice="See whether the disk is full; IRPROOF_CACHE names another folder.",
                    ) from None
    return target


def _hold_to_lock(archive: Path, found: str, locked: Mapping[str, Locked]) -> None:
    if not locked:
        return
    entry = locked.get(archive.name)
    if entry is None:
        raise ArchiveError(
            "The archive is not in the lock file beside it.",
            where=str(archive),
            advice=f"`irproof zoo {archive.parent} --lock` adds it, if it is the right one.",
        )
    if entry.sha256 != found:
        raise ArchiveError(
            f"The archive is not the one that is locked: its SHA-256 is {found}, and should be {entry.sha256}.",
            where=str(archive),
            advice=f"Remove it, and fetch it again with `irproof zoo {archive.parent}`.",
        )


class _Member(tarfile.TarInfo):
    """A member whose headers are of a bearable size."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _Member:
        found = super().frombuf(buf, encoding, errors)
        if found.type in _HEADERS and found.size > _MOST_HEADER:
            raise ArchiveError(f"A header of the archive claims {found.size} bytes.", where=repr(found.name[:80]))
        return found


class _Limited:
    """What is read of a compressed stream, up to a limit: a few kilobytes can unpack to anything."""

    def __init__(self, stream: gzip.GzipFile, allowance: int, most: int, archive: Path) -> None:
        self._stream = stream
        self._left = allowance
        self._most = most
        self._archive = archive

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(_BLOCK if size < 0 else size)
        self._left -= len(data)
        if self._left < 0:
            raise ArchiveError(f"The archive unpacks to more than {self._most} bytes.", where=str(self._archive))
        return data


def _unpack(archive: Path, folder: Path, most_bytes: int, most_files: int) -> None:
    seen: set[str] = set()
    # Beside the members' bytes there are headers and padding, at most a few blocks for each.
    allowance = most_bytes + most_files * 16 * tarfile.BLOCKSIZE + tarfile.RECORDSIZE
    with gzip.open(archive) as stream:
        source: Any = _Limited(stream, allowance, most_bytes, archive)
        with tarfile.open(fileobj=source, mode="r|", tarinfo=_Member) as opened:
            for count, member in enumerate(opened, 1):
                if count > most_files:
                    raise ArchiveError(f"The archive has more than {most_files} members.", where=str(archive))
                place = _place(member, archive)
                if place is None:
                    continue
                # Two names that one file system cannot tell apart would overwrite each other there.
                if place.as_posix().casefold() in seen:
                    raise _refused(member, archive, "is there twice")
                seen.add(place.as_posix().casefold())
                target = folder.joinpath(*place.parts)
                if any(parent.is_file() for parent in target.parents if parent != folder):
                    raise _refused(member, archive, "lies in a file as if that were a folder")
                target.parent.mkdir(parents=True, exist_ok=True)
                content = opened.extractfile(member)
                assert content is not None
                # Not tarfile's own way to write: neither owners nor permissions nor times are the archive's to say.
                with target.open("xb") as written:
                    shutil.copyfileobj(content, written, _BLOCK)


def _place(member: tarfile.TarInfo, archive: Path) -> PurePosixPath | None:
    """Where a member goes, relative to the folder; None for a folder, which its files make."""
    if member.isdir():
        return None
    if member.issym() or member.islnk():
        raise _refused(member, archive, f"is a link to {member.linkname!r}")
    if not member.isreg():
        raise _refused(member, archive, "is neither a file nor a folder")
    if member.sparse is not None:
        raise _refused(member, archive, "has holes")
    name = member.name
    if name.startswith("/") or re.search(r"[\\:\0-\x1f]", name):
        raise _refused(member, archive, "is no plain relative path")
    place = PurePosixPath(name)
    if ".." in place.parts or not place.parts or any(part.endswith((" ", ".")) for part in place.parts):
        raise _refused(member, archive, "would leave the folder, or has a name that not every system can have")
    return place


def _refused(member: tarfile.TarInfo, archive: Path, why: str) -> ArchiveError:
    return ArchiveError(
        f"The archive is refused: its member {member.name[:200]!r} {why}.",
        where=str(archive),
        advice="A model's archive holds plain files in folders; do not use this one.",
    )
