from __future__ import annotations

import shutil

import ml_dtypes
import numpy as np
import pytest

from harness.errors import SourceError
from harness.sources.checkpoint import Checkpoint
from harness.sources.tensor_slice import Extent

TYPES = {1: np.float32, 3: np.int32, 9: np.int64, 14: ml_dtypes.bfloat16, 19: np.float16}
DATA = "ref.ckpt.data-00000-of-00001"


@pytest.fixture
def copied(made, tmp_path):
    """A copy of a checkpoint that a test may damage."""
    for name in ("ref.ckpt.index", DATA):
        shutil.copy(made / name, tmp_path / name)
    return tmp_path


def _array(checkpoint, name):
    info = checkpoint.info(name)
    return np.frombuffer(checkpoint.read(name), TYPES[info.dtype]).reshape(info.shape)


def _read_all(checkpoint):
    return {name: checkpoint.read(name) for name in checkpoint}


class TestReading:
    def test_values(self, made):
        """Every variable of every type has the value that TensorFlow says it has."""
        values = np.load(made / "ref.ckpt.values.npz")
        with Checkpoint(made / "ref.ckpt") as checkpoint:
            names = [name for name in checkpoint if name in values]
            for name in names:
                np.testing.assert_array_equal(_array(checkpoint, name).astype(np.float64), values[name])

        assert {"net/weights", "net/half", "net/short", "net/whole", "net/scalar", "global_step"} <= set(names)

    def test_partitioned(self, made):
        """A partitioned tensor is put together from its slices."""
        values = np.load(made / "ref.ckpt.values.npz")
        parts = [values[f"net/parts/table/part_{index}"] for index in range(3)]
        with Checkpoint(made / "ref.ckpt") as checkpoint:
            whole = _array(checkpoint, "net/parts/table")

        np.testing.assert_array_equal(whole, np.concatenate(parts))

    def test_slices(self, made):
        """Any slice can be read, whether it was stored as such or not."""
        with Checkpoint(made / "ref.ckpt") as checkpoint:
            whole = _array(checkpoint, "net/parts/table")
            stored = checkpoint.read("net/parts/table", (Extent(0, 34), Extent(0, 4)))
            other = checkpoint.read("net/parts/table", (Extent(30, 10), Extent(1, 2)))
            bias = checkpoint.read("net/bias", (Extent(1, 2),))
            whole_bias = _array(checkpoint, "net/bias")

        assert stored == whole[:34].tobytes()
        assert other == whole[30:40, 1:3].tobytes()
        assert bias == whole_bias[1:3].tobytes()

    def test_shards(self, made):
        """Tensors are found in whichever shard they lie."""
        with Checkpoint(made / "sharded") as checkpoint:
            assert len(checkpoint.paths) == 3
            assert _array(checkpoint, "a").tolist() == [0, 1, 2]
            assert _array(checkpoint, "b").tolist() == [0, 1, 2, 3]


class TestErrors:
    def test_missing_tensor(self, made):
        """A tensor that is not there is named (SRC-8)."""
        with Checkpoint(made / "ref.ckpt") as checkpoint, pytest.raises(SourceError, match="'net/nothing'"):
            checkpoint.read("net/nothing")

    def test_slice_outside(self, made):
        """A slice outside of the tensor is an error."""
        with Checkpoint(made / "ref.ckpt") as checkpoint:
            for extents in [(Extent(0, 5),), (Extent(-1, 2),), (Extent(0, 1), Extent(0, 1))]:
                with pytest.raises(SourceError, match="slice"):
                    checkpoint.read("net/bias", extents)

    def test_missing_data(self, copied):
        """A missing shard is named (SRC-4)."""
        (copied / DATA).unlink()

        with pytest.raises(SourceError, match=r"data file 1 of 1 does not exist.*ref\.ckpt\.data-00000-of-00001"):
            Checkpoint(copied / "ref.ckpt")

    def test_missing_index(self, tmp_path):
        """A missing index is named."""
        with pytest.raises(SourceError, match=r"index does not exist.*model\.ckpt\.index"):
            Checkpoint(tmp_path / "model.ckpt")

    def test_truncated_data(self, copied):
        """A truncated shard is an error when a tensor behind its end is read."""
        data = (copied / DATA).read_bytes()
        (copied / DATA).write_bytes(data[:-100])

        with Checkpoint(copied / "ref.ckpt") as checkpoint, pytest.raises(SourceError, match="is truncated: tensor"):
            _read_all(checkpoint)

    def test_flipped_data(self, copied):
        """A single bit that changed is noticed."""
        data = bytearray((copied / DATA).read_bytes())
        data[len(data) // 2] ^= 4
        (copied / DATA).write_bytes(bytes(data))

        with Checkpoint(copied / "ref.ckpt") as checkpoint, pytest.raises(SourceError, match="checksum"):
            _read_all(checkpoint)

    @pytest.mark.parametrize("keep", [0, 10, 60, -1])
    def test_truncated_index(self, copied, keep):
        """A truncated index is an error that names it."""
        data = (copied / "ref.ckpt.index").read_bytes()
        (copied / "ref.ckpt.index").write_bytes(data[:keep])

        with pytest.raises(SourceError, match=r"(damaged|empty).*ref\.ckpt\.index"):
            Checkpoint(copied / "ref.ckpt")

    def test_v1(self, made):
        """A checkpoint of the old format is called that."""
        with pytest.raises(SourceError, match="old V1 format"):
            Checkpoint(made / "old")
