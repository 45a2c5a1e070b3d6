"""Archives of a model zoo, as downloaded: locked by hash, unpacked safely, fetched where a network exists."""

from harness.archives.downloading import DownloadFailure, download
from harness.archives.errors import ArchiveError
from harness.archives.lock import LOCK, Locked, hash_of, read_lock, write_lock
from harness.archives.official import address_of
from harness.archives.unpacking import archives_in, unpacked

__all__ = [
    "LOCK",
    "ArchiveError",
    "DownloadFailure",
    "Locked",
    "address_of",
    "archives_in",
    "download",
    "hash_of",
    "read_lock",
    "unpacked",
    "write_lock",
]
