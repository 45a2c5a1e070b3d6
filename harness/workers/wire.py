"""How requests and results cross between a worker and its owner: framed pickles over a socket.

The two sides may have different NumPy versions, whose own pickles name modules that the other may not have, so
arrays travel as dtype, shape and bytes. NumPy is not imported for that: an array can only be there when it is.
"""

from __future__ import annotations

import io
import pickle
import struct
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

_LENGTH = struct.Struct(">Q")


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            if type(obj) is numpy.ndarray and not obj.dtype.hasobject and obj.dtype.names is None:
                return _array, (obj.dtype.str, obj.shape, obj.tobytes())
            if isinstance(obj, numpy.generic) and not obj.dtype.hasobject and obj.dtype.names is None:
                return _scalar, (obj.dtype.str, obj.tobytes())
            if isinstance(obj, numpy.dtype) and not obj.hasobject and obj.names is None:
                return _dtype, (obj.str,)
        return NotImplemented


def _array(dtype: str, shape: tuple[int, ...], data: bytes) -> Any:
    import numpy as np

    return np.frombuffer(data, dtype=dtype).reshape(shape).copy()


def _scalar(dtype: str, data: bytes) -> Any:
    import numpy as np

    return np.frombuffer(data, dtype=dtype)[0]


def _dtype(name: str) -> Any:
    import numpy as np

    return np.dtype(name)


def encode(value: Any) -> bytes:
    """The value as bytes; raises whatever pickling it raises."""
    stream = io.BytesIO()
    _Pickler(stream, protocol=5).dump(value)
    return stream.getvalue()


def decode(data: bytes) -> Any:
    return pickle.loads(data)  # noqa: S301 - only what our own worker sent, behind its token


def send(connection: socket.socket, data: bytes) -> None:
    connection.sendall(_LENGTH.pack(len(data)))
    connection.sendall(data)


def receive(connection: socket.socket) -> bytes | None:
    """The next frame, or None when the other side is gone."""
    header = _exactly(connection.recv_into, _LENGTH.size)
    if header is None:
        return None
    data = _exactly(connection.recv_into, _LENGTH.unpack(header)[0])
    return None if data is None else bytes(data)


def _exactly(read_into: Callable[[memoryview], int], size: int) -> bytearray | None:
    data = bytearray(size)
    view = memoryview(data)
    done = 0
    while done < size:
        try:
            count = read_into(view[done:])
        except OSError:
            return None
        if not count:
            return None
        done += count
    return data
