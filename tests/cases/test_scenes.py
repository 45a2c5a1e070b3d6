from __future__ import annotations

import contextlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from harness.cases.scenes import fit, fitted_scenes, generated_scenes, image_files, read_pixels
from harness.errors import CaseError

RNG = np.random.default_rng(3)


def _photo(height, width):
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([rows % 256, columns % 256, (rows * columns // 50) % 256], axis=2).astype(np.uint8)


class TestReadPixels:
    def test_rgb(self, tmp_path):
        """Pixels come as uint8 [H, W, 3] in RGB order."""
        pixels = _photo(5, 7)
        Image.fromarray(pixels).save(tmp_path / "a.png")

        got = read_pixels(tmp_path / "a.png")

        assert got.dtype == np.uint8
        np.testing.assert_array_equal(got, pixels)

    @pytest.mark.parametrize(("mode", "shape"), [("L", (4, 6)), ("RGBA", (4, 6, 4)), ("P", (4, 6))])
    def test_other_modes(self, tmp_path, mode, shape):
        """Pictures of other colour modes are converted to RGB."""
        image = Image.fromarray(RNG.integers(0, 255, shape, dtype=np.uint8))
        image.convert(mode).save(tmp_path / "a.png")

        assert read_pixels(tmp_path / "a.png").shape == (4, 6, 3)

    def test_turned(self, tmp_path):
        """A photo that its camera marked as turned is turned."""
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(_photo(10, 20)).save(tmp_path / "a.jpg", exif=exif)

        assert read_pixels(tmp_path / "a.jpg").shape == (20, 10, 3)

    @pytest.mark.parametrize(
        ("make", "message"),
        [
            (lambda path: None, "does not exist"),
            (lambda path: path.write_bytes(b""), "cannot be read"),
            (lambda path: path.write_text("not a picture"), "cannot be read"),
            (lambda path: path.mkdir(), "cannot be read"),
        ],
    )
    def test_no_picture(self, tmp_path, make, message):
        """What is no picture is a CaseError that names the file."""
        path = tmp_path / "a.png"
        make(path)

        with pytest.raises(CaseError, match=message) as caught:
            read_pixels(path)

        assert "a.png" in str(caught.value)

    def test_truncated(self, tmp_path):
        """So is a picture that lost its end."""
        path = tmp_path / "a.png"
        Image.fromarray(RNG.integers(0, 255, (60, 60, 3), dtype=np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[:-2000])

        with pytest.raises(CaseError, match="cannot be read"):
            read_pixels(path)

    def test_bomb(self, tmp_path, monkeypatch):
        """A picture that would fill the memory is refused before it is decoded."""
        path = tmp_path / "a.png"
        Image.fromarray(_photo(20, 20)).save(path)
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)

        with pytest.raises(CaseError, match="larger than any photo"):
            read_pixels(path)

    @given(st.binary(max_size=200), st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\x00"]))
    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_any_bytes(self, tmp_path, data, head):
        """Any bytes are a picture or a CaseError."""
        path = tmp_path / "a.png"
        path.write_bytes(head + data)
        with contextlib.suppress(CaseError):
            read_pixels(path)


class TestFit:
    def test_same_size(self):
        """A picture of the right size keeps its very pixels."""
        pixels = _photo(30, 40)

        assert fit(pixels, 30, 40) is pixels

    @given(st.integers(1, 50), st.integers(1, 50))
    def test_size(self, height, width):
        """Any other is stretched to exactly the size asked for."""
        got = fit(_photo(30, 40), height, width)

        assert (got.shape, got.dtype) == ((height, width, 3), np.uint8)

    def test_orientation(self):
        """Height stays height: the upper half stays up."""
        pixels = np.zeros((40, 20, 3), np.uint8)
        pixels[:20] = 200

        got = fit(pixels, 10, 30)

        assert got[:4].min() == 200
        assert got[6:].max() == 0


class TestFittedScenes:
    def test_lossless(self, tmp_path):
        """A resized photo is stored without loss: what is read is what was resized (VAL-1)."""
        Image.fromarray(_photo(80, 60)).save(tmp_path / "a.jpg", quality=90)
        expected = fit(read_pixels(tmp_path / "a.jpg"), 33, 44)

        (scene,) = fitted_scenes([tmp_path / "a.jpg"], 33, 44)

        assert (scene.name, scene.path.suffix) == ("a", ".png")
        np.testing.assert_array_equal(scene.pixels(), expected)

    def test_cached(self, tmp_path):
        """The same picture at the same size is one entry; another size or another picture is another."""
        for index, name in enumerate(("a.png", "b.png", "c.png")):
            Image.fromarray(_photo(20, 20 + index // 2)).save(tmp_path / name)
        first, second, third = (fitted_scenes([tmp_path / name], 8, 8)[0].path for name in ("a.png", "b.png", "c.png"))
        other = fitted_scenes([tmp_path / "a.png"], 8, 9)[0].path

        assert first == second
        assert len({first, third, other}) == 3

    def test_changed(self, tmp_path):
        """A picture that was replaced is not taken from the cache."""
        path = tmp_path / "a.png"
        Image.fromarray(_photo(8, 8)).save(path)
        before = fitted_scenes([path], 8, 8)[0].pixels()
        Image.fromarray(255 - _photo(8, 8)).save(path)
        after = fitted_scenes([path], 8, 8)[0].pixels()

        np.testing.assert_array_equal(after, 255 - before)

    def test_names(self, tmp_path):
        """Two pictures of one name keep their suffixes."""
        for name in ("a.png", "a.bmp", "b.png"):
            Image.fromarray(_photo(8, 8)).save(tmp_path / name)

        scenes = fitted_scenes(image_files(tmp_path), 8, 8)

        assert [scene.name for scene in scenes] == ["a.bmp", "a.png", "b"]


class TestImageFiles:
    def test_only_pictures(self, tmp_path):
        """Annotations beside the pictures are left alone."""
        for name in ("b.JPG", "a.png", "labels.txt", ".hidden"):
            (tmp_path / name).write_bytes(b"")
        (tmp_path / "folder.png").mkdir()

        assert [path.name for path in image_files(tmp_path)] == ["a.png", "b.JPG"]

    def test_none(self, tmp_path):
        """A folder of images without a picture is an error, not a reason to draw some."""
        (tmp_path / "labels.txt").write_text("x")

        with pytest.raises(CaseError, match="holds no picture"):
            image_files(tmp_path)


class TestGeneratedScenes:
    def test_structure(self):
        """Drawn scenes have structure: neither black, nor flat, nor noise, nor all alike."""
        scenes = [scene.pixels().astype(float) for scene in generated_scenes(96, 128, 5)]

        assert len(scenes) == 4
        for pixels in scenes:
            assert pixels.shape == (96, 128, 3)
            assert 40 < pixels.mean() < 215
            assert pixels.std() > 15
            # Neighbours are alike, which they are not in noise.
            assert np.abs(np.diff(pixels, axis=1)).mean() < 0.7 * pixels.std()
        assert len({pixels.tobytes() for pixels in scenes}) == 4

    def test_deterministic(self, own_cache, monkeypatch):
        """The same size gives the same pixels, in whatever cache."""
        first = [scene.pixels() for scene in generated_scenes(40, 40, 3)]
        monkeypatch.setenv("IRPROOF_CACHE", str(own_cache) + "2")
        second = [scene.pixels() for scene in generated_scenes(40, 40, 3)]

        np.testing.assert_array_equal(first, second)
