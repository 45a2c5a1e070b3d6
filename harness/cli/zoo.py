"""``irproof zoo``: the archives of a folder, held to their lock file, and fetched where they are missing."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from harness.archives import LOCK, ArchiveError, Locked, address_of, archives_in, download, hash_of, read_lock
from harness.archives import write_lock as write
from harness.archives.downloading import name_of
from harness.cli.listing import add_json, show


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which folder, and what to fetch into it."""
    parser.add_argument("folder", type=Path, metavar="DIR", help=f"the folder of archives, with {LOCK} in it")
    parser.add_argument(
        "archive",
        nargs="*",
        metavar="NAME|ADDRESS",
        help="fetch these: a published model's name, or the address of a .tar.gz; without any, fetch what the lock "
        "file has and the folder has not",
    )
    parser.add_argument("--lock", action="store_true", help="add the archives that are there to the lock file")
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Fetch, check and list; raises ArchiveError for an archive that is not the one that is locked."""
    folder: Path = args.folder
    folder.mkdir(parents=True, exist_ok=True)
    locked = read_lock(folder / LOCK)
    for address in wanted(folder, args.archive, locked):
        name = name_of(address)
        if name in locked and (folder / name).is_file() and hash_of(folder / name) == locked[name].sha256:
            continue
        _, found = download(address, folder, locked=locked.get(name), say=lambda line: print(line, file=sys.stderr))
        if locked.get(name) != found:
            locked[name] = found
            write(folder / LOCK, locked)
    rows = []
    for path in archives_in(folder):
        found = Locked(hash_of(path), path.stat().st_size, locked[path.name].address if path.name in locked else "")
        if args.lock and path.name not in locked:
            locked[path.name] = found
        entry = locked.get(path.name)
        if entry is not None and entry.sha256 != found.sha256:
            raise ArchiveError(
                f"The archive is not the one that is locked: its SHA-256 is {found.sha256}, and should be "
                f"{entry.sha256}.",
                where=str(path),
                advice="Remove it, and run this again.",
            )
        state = "not locked" if entry is None else "as locked"
        rows.append({"archive": path.name, "state": state, "bytes": found.bytes, "sha256": found.sha256})
    if args.lock:
        write(folder / LOCK, locked)
    show(rows, as_json=args.json, columns=("archive", "state", "bytes", "sha256"))
    return 0


def wanted(folder: Path, asked: list[str], locked: dict[str, Locked]) -> list[str]:
    """The addresses of what is to be fetched: what was asked for, else what is locked and missing."""
    if asked:
        return [locked[text].address if text in locked and locked[text].address else address_of(text) for text in asked]
    missing = [name for name in sorted(locked) if not (folder / name).is_file()]
    for name in missing:
        if not locked[name].address:
            raise ArchiveError(
                "The lock file has no address for an archive that is missing.",
                where=str(folder / name),
                advice="Put it there by hand.",
            )
    return [locked[name].address for name in missing]
