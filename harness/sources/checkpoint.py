"""TensorFlow's V2 checkpoint (tensor bundle): an ``.index`` table beside ``.data-?????-of-?????`` shards."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NamedTuple

import numpy as np
from google.protobuf.message import DecodeError
from tensorboard.compat.proto import types_pb2

from harness.errors import SourceError
from harness.sources.crc32c import masked_crc32c
from harness.sources.files import missing, read_file, unreadable
from harness.sources.messages import message_class
from harness.sources.table import TableError, is_table, read_table
from harness.sources.tensor_slice import Extent, TensorSlice, slice_key

_LARGEST_TENSOR = (1 << 31) - 1

# Bytes an element, of the types that variables of a model have.
ITEM_SIZES: dict[int, int] = {
    types_pb2.DT_FLOAT: 4,
    types_pb2.DT_DOUBLE: 8,
    types_pb2.DT_HALF: 2,
    types_pb2.DT_BFLOAT16: 2,
    types_pb2.DT_INT8: 1,
    types_pb2.DT_INT16: 2,
    types_pb2.DT_INT32: 4,
    types_pb2.DT_INT64: 8,
    types_pb2.DT_UINT8: 1,
    types_pb2.DT_UINT16: 2,
    types_pb2.DT_UINT32: 4,
    types_pb2.DT_UINT64: 8,
    types_pb2.DT_BOOL: 1,
    types_pb2.DT_QINT8: 1,
    types_pb2.DT_QUINT8: 1,
    types_pb2.DT_QINT16: 2,
    types_pb2.DT_QUINT16: 2,
    types_pb2.DT_QINT32: 4,
    types_pb2.DT_COMPLEX64: 8,
    types_pb2.DT_COMPLEX128: 16,
}


def type_name(dtype: int) -> str:
    """A data type as messages show it: ``float``, ``int64``, or ``type 77`` for one that is not known."""
    try:
        return str(types_pb2.DataType.Name(dtype)).removeprefix("DT_").lower()
    except ValueError:
        return f"type {dtype}"


class TensorInfo(NamedTuple):
    """What the index says of one tensor. ``dtype`` is a number of TensorFlow's DataType."""

    dtype: int
    shape: tuple[int, ...]


class Checkpoint:
    """An open V2 checkpoint; use it as a context manager.

    Opening reads the index and checks that every shard is there. Tensors are read one by one, each checked against
    its size and checksum. Whatever is missing, truncated or damaged is a :class:`SourceError` that names the file.
    """

    def __init__(self, prefix: Path) -> None:
        self.prefix = prefix
        self.index_path = prefix.with_name(f"{prefix.name}.index")
        _refuse_v1(prefix, self.index_path)
        data = read_file(self.index_path, "checkpoint's index", "SRC-3")
        try:
            self._entries = read_table(data)
            header = message_class("BundleHeader").FromString(self._entries.pop(b"", b""))
        except (TableError, DecodeError) as error:
            raise SourceError(
                f"The checkpoint's index is damaged: {error}.",
                where=str(self.index_path),
                advice="Copy or download the checkpoint again.",
                requirement="SRC-3",
            ) from None
        if header.endianness:
            raise SourceError(
                "The checkpoint was written on a big-endian machine, which is not read.",
                where=str(self.index_path),
                advice="Save it again on a little-endian machine.",
                requirement="SRC-3",
            )
        self.shard_paths = self._find_shards(header.num_shards)
        self._files: dict[int, IO[bytes]] = {}
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> Checkpoint:  # noqa: PYI034 - typing.Self is newer than Python 3.10
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()
        self._files.clear()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.encode() in self._entries

    def __iter__(self) -> Iterator[str]:
        """The names of all tensors; slices of partitioned ones are not listed on their own."""
        for key in self._entries:
            if not key.startswith(b"\0"):
                yield key.decode("utf-8", "replace")

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files of the checkpoint."""
        return (self.index_path, *self.shard_paths)

    def info(self, name: str) -> TensorInfo:
        """Type and shape of a tensor; :class:`SourceError` naming it when it is not in the checkpoint (SRC-8)."""
        entry = self._entry(name.encode(), name)
        return TensorInfo(entry.dtype, tuple(dimension.size for dimension in entry.shape.dim))

    def read(self, name: str, extents: TensorSlice | None = None) -> bytes:
        """The little-endian, row-major bytes of a tensor, or of a slice of it."""
        entry = self._entry(name.encode(), name)
        if not entry.slices and extents is None:
            return self._stored(entry, name)
        if extents is not None and slice_key(name, extents) in self._entries:
            return self._stored(self._entry(slice_key(name, extents), name), name)
        whole = self._assemble(entry, name)
        if extents is not None:
            try:
                bounds = [extent.bounds(size) for extent, size in zip(extents, whole.shape, strict=True)]
            except ValueError:
                bounds = [(0, -1)]
            if any(not 0 <= first <= last <= size for (first, last), size in zip(bounds, whole.shape, strict=False)):
                raise self._damaged(name, f"the graph asks for a slice outside of its shape {list(whole.shape)}")
            whole = whole[tuple(slice(first, last) for first, last in bounds)]
        return np.ascontiguousarray(whole).tobytes()

    def _assemble(self, entry: Any, name: str) -> np.ndarray:
        shape = tuple(dimension.size for dimension in entry.shape.dim)
        item = np.dtype(f"V{self._item_size(entry, name)}")
        if not entry.slices:
            return np.frombuffer(self._stored(entry, name), item).reshape(shape)
        self._byte_count(entry, name)
        whole = np.zeros(shape, item)
        filled = np.zeros(shape, bool)
        for piece in entry.slices:
            extents = tuple(
                Extent(extent.start, extent.length) if extent.HasField("length") else Extent()
                for extent in piece.extent
            )
            part_entry = self._entry(slice_key(name, extents), name)
            part_shape = tuple(dimension.size for dimension in part_entry.shape.dim)
            try:
                place = tuple(slice(*extent.bounds(size)) for extent, size in zip(extents, shape, strict=True))
                whole[place] = np.frombuffer(self._stored(part_entry, name), item).reshape(part_shape)
                filled[place] = True
            except ValueError:
                raise self._damaged(name, f"one of its slices does not fit its shape {list(shape)}") from None
        if not filled.all():
            raise self._damaged(name, "its slices do not cover it")
        return whole

    def _stored(self, entry: Any, name: str) -> bytes:
        size = self._byte_count(entry, name)
        if entry.size != size:
            raise self._damaged(name, f"the index gives it {entry.size} bytes, but its shape needs {size}")
        if not 0 <= entry.shard_id < len(self.shard_paths) or entry.offset < 0:
            raise self._damaged(name, f"the index places it in shard {entry.shard_id} at byte {entry.offset}")
        path = self.shard_paths[entry.shard_id]
        try:
            file = self._files.get(entry.shard_id)
            if file is None:
                file = self._files[entry.shard_id] = self._exit.enter_context(path.open("rb"))
            file.seek(entry.offset)
            data = file.read(size)
        except OSError as error:
            raise unreadable(path, "checkpoint's data file", "SRC-3", error) from None
        if len(data) != size:
            raise SourceError(
                f"The checkpoint's data file is truncated: tensor {name!r} needs its bytes up to "
                f"{entry.offset + size}, and it has {path.stat().st_size}.",
                where=str(path),
                advice="Copy or download the checkpoint again.",
                requirement="SRC-8",
            )
        if masked_crc32c(data) != entry.crc32c:
            raise SourceError(
                f"The bytes of tensor {name!r} in the checkpoint's data file do not match their checksum.",
                where=str(path),
                advice="Copy or download the checkpoint again.",
                requirement="SRC-8",
            )
        return data

    def _byte_count(self, entry: Any, name: str) -> int:
        shape = [dimension.size for dimension in entry.shape.dim]
        count: int = math.prod(shape) * self._item_size(entry, name)
        if any(size < 0 for size in shape) or entry.shape.unknown_rank or count > _LARGEST_TENSOR:
            raise self._damaged(name, f"the index gives it the shape {shape}")
        return count

    def _item_size(self, entry: Any, name: str) -> int:
        size = ITEM_SIZES.get(entry.dtype)
        if size is None:
            raise SourceError(
                f"Tensor {name!r} is of type {type_name(entry.dtype)}, which no constant of a model can be made of.",
                where=str(self.index_path),
                advice="Export the model for inference, without such a variable.",
                requirement="SRC-8",
            )
        return size

    def _entry(self, key: bytes, name: str) -> Any:
        data = self._entries.get(key)
        if data is None:
            raise SourceError(
                f"The checkpoint has no tensor {name!r}"
                + ("." if not key.startswith(b"\0") else ": one of its slices is missing."),
                where=str(self.index_path),
                advice="Give the checkpoint that was saved with this graph.",
                requirement="SRC-8",
            )
        try:
            return message_class("BundleEntry").FromString(data)
        except DecodeError:
            raise self._damaged(name, "its entry in the index cannot be read") from None

    def _damaged(self, name: str, how: str) -> SourceError:
        return SourceError(
            f"The checkpoint's tensor {name!r} is damaged: {how}.",
            where=str(self.index_path),
            advice="Give the checkpoint that was saved with this graph, whole.",
            requirement="SRC-8",
        )

    def _find_shards(self, count: int) -> tuple[Path, ...]:
        if not 0 < count <= 99999:
            raise SourceError(
                f"The checkpoint's index is damaged: it names {count} data files.",
                where=str(self.index_path),
                advice="Copy or download the checkpoint again.",
                requirement="SRC-3",
            )
        found = []
        for shard in range(count):
            path = self.prefix.with_name(f"{self.prefix.name}.data-{shard:05d}-of-{count:05d}")
            if not path.is_file():
                raise missing(path, f"checkpoint's data file {shard + 1} of {count}", "SRC-3")
            found.append(path)
        return tuple(found)


def _refuse_v1(prefix: Path, index: Path) -> None:
    """A V1 checkpoint is one file, named as V2's prefix is, or several with ``-?????-of-?????``; and has no index."""
    if index.exists():
        return
    try:
        candidates = [prefix, *sorted(prefix.parent.glob(f"{_escape(prefix.name)}-?????-of-?????"))]
        for path in candidates:
            if path.is_file():
                with path.open("rb") as file:
                    file.seek(max(0, path.stat().st_size - 48))
                    tail = file.read(48)
                if is_table(tail):
                    raise SourceError(
                        "The checkpoint is of the old V1 format (one table, no .index), which is not read.",
                        where=str(path),
                        advice="Restore and save it with TensorFlow's Saver(write_version=SaverDef.V2).",
                        requirement="SRC-3",
                    )
    except OSError:
        return  # whatever is wrong, the missing index says it


def _escape(name: str) -> str:
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)
