"""The lock file of a folder of archives: which bytes each archive consists of, and where it came from."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.archives.errors import ArchiveError
from harness.certificate.atomic import write_text

LOCK = "irproof.lock.json"
VERSION = 1


@dataclasses.dataclass(frozen=True)
class Locked:
    """One archive: SHA-256 of its bytes, how many they are, and its address (empty where nobody said)."""

    sha256: str
    bytes: int
    address: str = ""


def read_lock(path: Path) -> dict[str, Locked]:
    """The entries by the archives' file names; none where there is no lock file. Raises ArchiveError for a bad one."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ArchiveError(f"The lock file cannot be read: {error}.", where=str(path)) from None
    entries = document.get("archives") if isinstance(document, dict) else None
    if not isinstance(entries, dict) or document.get("version") != VERSION:
        raise ArchiveError(f"The file is no lock file of version {VERSION}.", where=str(path))
    return {name: _entry(path, name, entry) for name, entry in entries.items()}


def write_lock(path: Path, entries: Mapping[str, Locked]) -> None:
    """Write the lock file, whole or not at all."""
    archives = {name: dataclasses.asdict(entries[name]) for name in sorted(entries)}
    write_text(path, json.dumps({"version": VERSION, "archives": archives}, indent=1) + "\n")


def hash_of(path: Path) -> str:
    """SHA-256 of a file's bytes; raises ArchiveError where it cannot be read."""
    state = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while block := stream.read(1 << 20):
                state.update(block)
    except OSError as error:
        raise ArchiveError(f"The archive cannot be read: {error.strerror or error}.", where=str(path)) from None
    return state.hexdigest()


def is_plain_name(name: str) -> bool:
    """Whether a name is one of an archive in the folder itself, and nothing that leads elsewhere."""
    return re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.(tar\.gz|tgz)", name) is not None


def _entry(path: Path, name: str, entry: Any) -> Locked:
    def bad(what: str) -> ArchiveError:
        return ArchiveError(f"The lock file has {what}.", where=f"{path}, entry {name[:100]!r}")

    if not is_plain_name(name):
        raise bad("an entry that is no archive's name")
    if not isinstance(entry, dict) or set(entry) - {"sha256", "bytes", "address"}:
        raise bad("an entry with other keys than sha256, bytes and address")
    sha256, size, address = entry.get("sha256"), entry.get("bytes"), entry.get("address", "")
    if not isinstance(sha256, str) or not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise bad("a sha256 that is none")
    if type(size) is not int or size < 0 or not isinstance(address, str):
        raise bad("a size or an address that is none")
    return Locked(sha256, size, address)
