"""Reading a file whole, with one clear error for whatever is wrong with it."""

from __future__ import annotations

from pathlib import Path

from harness.errors import SourceError

# Protobuf messages end at 2 GiB, and so do TensorFlow's graph files.
_LARGEST_FILE = (1 << 31) - 1


def read_file(path: Path, what: str, requirement: str) -> bytes:
    """The bytes of ``path``; missing, empty, a folder, unreadable or over 2 GiB is a :class:`SourceError`.

    ``what`` says in the error what the file should have been, such as "frozen graph".
    """
    try:
        if path.is_dir():
            raise SourceError(
                f"The {what} is a folder, not a file.",
                where=str(path),
                advice="Give the file itself; a folder is only right for a SavedModel.",
                requirement=requirement,
            )
        size = path.stat().st_size
        if size > _LARGEST_FILE:
            raise SourceError(
                f"The {what} has {size} bytes; a protobuf message cannot be that long.",
                where=str(path),
                advice="Give a file under 2 GiB, or the model as a checkpoint.",
                requirement=requirement,
            )
        data = path.read_bytes()
    except FileNotFoundError:
        raise missing(path, what, requirement) from None
    except OSError as error:
        raise unreadable(path, what, requirement, error) from None
    except ValueError as error:  # a path with a null character
        raise SourceError(
            f"The {what} has an impossible path: {error}.", where=repr(str(path)), requirement=requirement
        ) from None
    if not data:
        raise SourceError(
            f"The {what} is empty.",
            where=str(path),
            advice="Export or download the model again.",
            requirement=requirement,
        )
    return data


def missing(path: Path, what: str, requirement: str) -> SourceError:
    """The error for a file that does not exist."""
    return SourceError(
        f"The {what} does not exist.",
        where=str(path),
        advice="Check the path, and that the model was unpacked whole.",
        requirement=requirement,
    )


def unreadable(path: Path, what: str, requirement: str, error: OSError) -> SourceError:
    """The error for a file that the system refuses to read."""
    return SourceError(
        f"The {what} cannot be read: {error.strerror or type(error).__name__}.",
        where=str(path),
        advice="Check the file's permissions.",
        requirement=requirement,
    )
