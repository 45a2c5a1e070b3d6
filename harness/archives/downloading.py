"""Fetching an archive: resumed where it broke off, with progress, and only kept when it is whole and the right one."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.archives.errors import ArchiveError
from harness.archives.lock import Locked, hash_of, is_plain_name

Say = Callable[[str], None]
MOST_BYTES = 8 << 30
_BLOCK = 1 << 18
_TIMEOUT = 60.0
_TRIES = 5
_EVERY_SECONDS = 2.0


class DownloadFailure(ArchiveError):
    """An archive could not be fetched; what came so far is kept, and the next try goes on from there."""


def download(
    address: str,
    folder: Path,
    *,
    locked: Locked | None = None,
    say: Say = lambda _line: None,
    tries: int = _TRIES,
    pause: float = 1.0,
    most_bytes: int = MOST_BYTES,
) -> tuple[Path, Locked]:
    """The archive in ``folder`` under its own name, and its entry for the lock file.

    What has come lies in ``NAME.part`` until it is whole; a broken connection is taken up again where it broke, in this
    call and in a later one, as long as the server says that the file is the same. Raises DownloadFailure when the
    server refuses or the connection breaks too often, and ArchiveError when what came is not what is locked.
    """
    name = name_of(address)
    target, part = folder / name, folder / f"{name}.part"
    say(f"{name}: from {address}")
    for attempt in range(1, tries + 1):
        try:
            _fetch(address, part, say, most_bytes, known=locked is not None)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500:
                raise DownloadFailure(
                    f"The server answers {error.code} {error.reason}.", where=address, advice="Look at the address."
                ) from None
            why = f"the server answers {error.code}"
        except ArchiveError:
            part.unlink(missing_ok=True)
            raise
        except (urllib.error.URLError, http.client.HTTPException, TimeoutError, ConnectionError) as error:
            why = str(getattr(error, "reason", error)) or type(error).__name__
        except OSError as error:
            raise DownloadFailure(
                f"The archive cannot be written: {error.strerror or error}.", where=str(part)
            ) from None
        if attempt == tries:
            raise DownloadFailure(
                f"The archive could not be fetched in {tries} tries; the last one failed: {why}.",
                where=address,
                advice="Try again later: it will go on from where it is.",
            )
        say(f"{name}: {why}; again")
        time.sleep(pause * attempt)
    return target, _keep(address, part, target, locked, say)


def name_of(address: str) -> str:
    """The file name in an address; raises ArchiveError where that is none of an archive's, or the address no http."""
    parts = urllib.parse.urlsplit(address)
    name = urllib.parse.unquote(parts.path.rpartition("/")[2])
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ArchiveError("The address is none of http or https.", where=address)
    if not is_plain_name(name):
        raise ArchiveError("The address does not end in the name of a .tar.gz.", where=address)
    return name


def _keep(address: str, part: Path, target: Path, locked: Locked | None, say: Say) -> Locked:
    found = Locked(hash_of(part), part.stat().st_size, address)
    if locked is not None and found.sha256 != locked.sha256:
        part.unlink()
        _note(part).unlink(missing_ok=True)
        raise ArchiveError(
            f"What came is not what is locked: its SHA-256 is {found.sha256}, and should be {locked.sha256}.",
            where=address,
            advice="The file has changed at its address, or on the way. Nothing was kept.",
        )
    part.replace(target)
    _note(part).unlink(missing_ok=True)
    say(f"{target.name}: {found.bytes} bytes, SHA-256 {found.sha256}")
    return found


def _fetch(address: str, part: Path, say: Say, most_bytes: int, *, known: bool) -> None:
    """Bring ``part`` to its full length; ``known`` says that its hash will be checked in the end."""
    have = part.stat().st_size if part.is_file() else 0
    validator = _validator(part, address)
    # Without a word of the server's or a hash to check, two halves of different files could be put together.
    if have and not validator and not known:
        have = 0
    request = urllib.request.Request(address, headers={"Accept-Encoding": "identity"})  # noqa: S310 - http alone
    if have:
        request.add_header("Range", f"bytes={have}-")
        if validator:
            request.add_header("If-Range", validator)
    try:
        answer = _open(request)
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            if _total(error.headers.get("Content-Range", "")) == have:
                return  # all of it had come
            part.unlink()
            raise ConnectionError("the file has changed at its address") from None
        raise
    with answer:
        start, total = _extent(answer, have)
        if (total or 0) > most_bytes:
            raise ArchiveError(f"The archive has {total} bytes, and may have {most_bytes}.", where=address)
        _note(part).write_text(json.dumps({"address": address, "validator": _tag(answer)}), encoding="utf-8")
        with part.open("r+b" if start else "wb") as stream:
            stream.truncate(start)
            stream.seek(start)
            _copy(answer, stream, part.name.removesuffix(".part"), start, total, say, most_bytes)


def _copy(answer: Any, stream: Any, name: str, start: int, total: int | None, say: Say, most_bytes: int) -> None:
    done, told, since = start, time.monotonic(), time.monotonic()
    if start:
        say(f"{name}: goes on at {start / 1e6:.1f} MB")
    while block := answer.read(_BLOCK):
        stream.write(block)
        done += len(block)
        if done > most_bytes:
            raise ArchiveError(f"The archive has more than {most_bytes} bytes.", where=name)
        now = time.monotonic()
        if now - told >= _EVERY_SECONDS:
            told = now
            speed = (done - start) / max(now - since, 1e-6)
            share = f"{done / total:5.1%} of {total / 1e6:.1f} MB" if total else f"{done / 1e6:.1f} MB"
            left = f", {(total - done) / speed:.0f} s left" if total and speed else ""
            say(f"{name}: {share}, {speed / 1e6:.1f} MB/s{left}")
    if total is not None and done != total:
        raise ConnectionError(f"the connection broke at {done} of {total} bytes")


def _open(request: urllib.request.Request) -> Any:
    # Redirections may lead to http and https alone; a proxy of the environment's is used.
    opener = urllib.request.OpenerDirector()
    handlers = [urllib.request.ProxyHandler(), urllib.request.HTTPHandler(), urllib.request.HTTPSHandler()]
    handlers += [urllib.request.HTTPDefaultErrorHandler(), _Redirect(), urllib.request.HTTPErrorProcessor()]
    for handler in handlers:
        opener.add_handler(handler)
    return opener.open(request, timeout=_TIMEOUT)


class _Redirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        if urllib.parse.urlsplit(newurl).scheme not in ("http", "https"):
            raise ArchiveError("The server leads to an address that is none of http or https.", where=newurl)
        found = super().redirect_request(req, fp, code, msg, headers, newurl)
        if found is not None:
            for name in ("Range", "If-range"):
                if req.has_header(name):
                    found.add_header(name, req.get_header(name))
        return found


def _extent(answer: Any, have: int) -> tuple[int, int | None]:
    """Where what comes begins, and how long the whole file is."""
    if answer.status == http.client.PARTIAL_CONTENT:
        match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if match is None or int(match[1]) != have:
            raise http.client.HTTPException("the server answers with another part than was asked for")
        return have, None if match[2] == "*" else int(match[2])
    length = answer.headers.get("Content-Length", "")
    return 0, int(length) if length.isdecimal() else None


def _total(content_range: str) -> int | None:
    match = re.fullmatch(r"bytes \*/(\d+)", content_range)
    return int(match[1]) if match else None


def _tag(answer: Any) -> str:
    """What tells this version of the file from another: a strong entity tag, else the date of its last change."""
    tag: str = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "") or ""


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _validator(part: Path, address: str) -> str:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        told = json.loads(_note(part).read_text(encoding="utf-8"))
        if told.get("address") == address and isinstance(told.get("validator"), str):
            return str(told["validator"])
    return ""
