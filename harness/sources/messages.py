"""The few TensorFlow messages that are needed here and that tensorboard does not carry."""

from __future__ import annotations

import functools
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_PACKAGE = "irproof.sources"

# message -> (number, field, type, repeated); bytes stand for messages that are parsed elsewhere.
_MESSAGES: dict[str, tuple[tuple[int, str, str, bool], ...]] = {
    "SavedModel": (
        (1, "saved_model_schema_version", "int64", False),
        (2, "meta_graphs", "bytes", True),
    ),
    "BundleHeader": (
        (1, "num_shards", "int32", False),
        (2, "endianness", "int32", False),
    ),
    "BundleEntry": (
        (1, "dtype", "int32", False),
        (2, "shape", "Shape", False),
        (3, "shard_id", "int32", False),
        (4, "offset", "int64", False),
        (5, "size", "int64", False),
        (6, "crc32c", "fixed32", False),
        (7, "slices", "Slice", True),
    ),
    "Shape": ((2, "dim", "Dimension", True), (3, "unknown_rank", "bool", False)),
    "Dimension": ((1, "size", "int64", False),),
    "Slice": ((1, "extent", "Extent", True),),
    # A length that is absent means the whole dimension.
    "Extent": ((1, "start", "int64", False), (2, "length", "int64", False)),
}


@functools.cache
def message_class(name: str) -> Any:
    """The message class of one of ``SavedModel``, ``BundleHeader``, ``BundleEntry``."""
    return message_factory.GetMessageClass(_pool().FindMessageTypeByName(f"{_PACKAGE}.{name}"))


@functools.cache
def _pool() -> Any:
    file = descriptor_pb2.FileDescriptorProto(name="irproof/sources.proto", package=_PACKAGE, syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, field_name, kind, repeated in fields:
            field = message.field.add(name=field_name, number=number)
            field.label = field.LABEL_REPEATED if repeated else field.LABEL_OPTIONAL
            if kind in _MESSAGES:
                field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
            else:
                field.type = field.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return pool
