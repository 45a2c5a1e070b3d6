"""An archive of a stranger's is unpacked, or refused whole: nothing gets out of its folder."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import stat
import tarfile
import tracemalloc

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.archives import ArchiveError, Locked, archives_in, hash_of, unpacked, write_lock
from harness.archives.lock import LOCK
from harness.cases.selection import listed_cases, select
from harness.errors import UsageError
from tests.archives.conftest import bomb, make, member


def leftovers(cache):
    return [path for path in cache.rglob("*") if path.is_file() and not path.name.endswith(".lock")]


class TestGood:
    def test_is_unpacked_once(self, model):
        """Plain files in folders; the permissions are ours, not the archive's."""
        folder = unpacked(model)
        config = folder / "my_model" / "pipeline.config"
        assert config.read_bytes().startswith(b"model")
        assert (folder / "my_model" / "frozen_inference_graph.pb").read_bytes() == b"graph"
        if os.name == "posix":
            assert not stat.S_IMODE(config.stat().st_mode) & (stat.S_ISUID | stat.S_IXUSR)
        before = config.stat().st_mtime_ns
        assert unpacked(model) == folder
        assert config.stat().st_mtime_ns == before

    def test_its_models_are_cases(self, model):
        """Under --zoo, beside unpacked ones; what lies unpacked beside its archive counts once."""
        (found,) = select(zoo=model.parent)
        assert (found.name, found.origin, found.model_format) == ("my_model", "zoo", "frozen")
        (model.parent / "other").mkdir()
        (model.parent / "other" / "pipeline.config").write_text("model { ssd { } }")
        assert [one.name for one in listed_cases(zoo=model.parent) if one.origin == "zoo"] == ["my_model", "other"]
        (model.parent / "my_model").mkdir()
        (model.parent / "my_model" / "pipeline.config").write_text("model { ssd { } }")
        assert archives_in(model.parent) == ()

    def test_one_without_a_model(self, tmp_path):
        """Is an error that names it."""
        make(tmp_path / "songs.tar.gz", member("songs/one.mp3"))
        with pytest.raises(UsageError, match=r"archive holds no model.*songs\.tar\.gz"):
            select(zoo=tmp_path)


class TestRefused:
    @pytest.mark.parametrize(
        ("info", "said"),
        [
            (member("/etc/passwd"), "no plain relative path"),
            (member("../outside"), "would leave the folder"),
            (member("model/../../outside"), "would leave the folder"),
            (member("model/.."), "would leave the folder"),
            (member("C:\\windows\\system.ini"), "no plain relative path"),
            (member("C:evil"), "no plain relative path"),
            (member("model\\..\\..\\outside"), "no plain relative path"),
            (member("model/bad\nname"), "no plain relative path"),
            (member("model/trailing."), "not every system"),
            (member("model/link", b"", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "is a link to '/etc/passwd'"),
            (member("model/link", b"", type=tarfile.SYMTYPE, linkname="inside"), "is a link"),
            (member("model/link", b"", type=tarfile.LNKTYPE, linkname="model/first"), "is a link"),
            (member("model/pipe", b"", type=tarfile.FIFOTYPE), "neither a file nor a folder"),
            (member("model/device", b"", type=tarfile.CHRTYPE), "neither a file nor a folder"),
            (member("model/first"), "is there twice"),
            (member("MODEL/FIRST"), "is there twice"),
            (member("model/first/second"), "as if that were a folder"),
        ],
    )
    def test_a_member_that_breaks_a_rule(self, tmp_path, cache, info, said):
        """The whole archive, with the member's name; nothing of it stays, and nothing is outside."""
        archive = make(tmp_path / "bad.tar.gz", member("model/first", b"1"), info)
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(ArchiveError, match=said):
            unpacked(archive)
        assert leftovers(cache) == []
        assert [path for path in sorted(tmp_path.rglob("*")) if cache not in (path, *path.parents)] == [
            path for path in before if cache not in (path, *path.parents)
        ]

    def test_a_link_and_a_file_behind_it(self, tmp_path, cache):
        """The classical way out."""
        outside = tmp_path / "outside"
        outside.mkdir()
        archive = make(
            tmp_path / "bad.tar.gz",
            member("model", b"", type=tarfile.SYMTYPE, linkname=str(outside)),
            member("model/planted"),
        )
        with pytest.raises(ArchiveError, match="is a link"):
            unpacked(archive)
        assert list(outside.iterdir()) == []

    def test_too_large(self, tmp_path, cache):
        """Sixty kilobytes that would unpack to sixty megabytes: ended at the limit, in little memory."""
        archive = bomb(tmp_path / "bomb.tar.gz", 60 << 20)
        assert archive.stat().st_size < 100_000
        tracemalloc.start()
        with pytest.raises(ArchiveError, match="unpacks to more than 1048576 bytes"):
            unpacked(archive, most_bytes=1 << 20, most_files=10)
        assert tracemalloc.get_traced_memory()[1] < 30 << 20
        tracemalloc.stop()
        assert leftovers(cache) == []

    def test_a_header_too_large(self, tmp_path):
        """Names and the like go into memory whole: one of gigabytes is refused by what it claims."""
        info = tarfile.TarInfo("././@PaxHeader")
        info.type = tarfile.XHDTYPE
        info.size = 3 << 30
        with gzip.open(tmp_path / "bad.tar.gz", "wb") as stream:
            stream.write(info.tobuf())
            stream.write(bytes(1 << 16))
        with pytest.raises(ArchiveError, match="header of the archive claims 3221225472 bytes"):
            unpacked(tmp_path / "bad.tar.gz")

    def test_too_many(self, tmp_path):
        """Files without content cost room too."""
        archive = make(tmp_path / "many.tar.gz", *(member(f"m/{number}", b"") for number in range(30)))
        with pytest.raises(ArchiveError, match="more than 20 members"):
            unpacked(archive, most_files=20)

    @pytest.mark.parametrize("keep", [0, 10, 0.5, 0.95])
    def test_cut_off(self, model, cache, keep):
        """A download that broke off."""
        data = model.read_bytes()
        model.write_bytes(data[: keep if isinstance(keep, int) else int(len(data) * keep)])
        with pytest.raises(ArchiveError, match="damaged or none"):
            unpacked(model)
        assert leftovers(cache) == []

    def test_not_compressed(self, tmp_path):
        """A page that says 404, under an archive's name."""
        (tmp_path / "page.tar.gz").write_text("<html>404</html>")
        with pytest.raises(ArchiveError, match="damaged or none"):
            unpacked(tmp_path / "page.tar.gz")

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(name=st.text(st.sampled_from("ab./\\:~ \x00\n"), min_size=1, max_size=12))
    def test_no_name_gets_out(self, tmp_path, cache, name):
        """Whatever it is made of: all that was written lies in the cache, below the folder that is returned."""
        outside = {path for path in tmp_path.rglob("*") if cache not in (path, *path.parents)}
        try:
            archive = make(tmp_path / "any.tar.gz", member(name))
        except ValueError:
            return
        with contextlib.suppress(ArchiveError):
            unpacked(archive)
        for path in cache.rglob("*"):
            if path.is_file() and path.read_bytes() == b"x":
                inside = path.relative_to(cache / "zoo").parts
                assert re.fullmatch("[0-9a-f]{40}", inside[0])
                assert len(inside) > 1
        now = {path for path in tmp_path.rglob("*") if cache not in (path, *path.parents)}
        assert now - outside <= {tmp_path / "any.tar.gz"}


class TestLock:
    def test_another_archive_under_the_name(self, model):
        """Both hashes, and what to do."""
        write_lock(model.parent / LOCK, {model.name: Locked("0" * 64, 3)})
        with pytest.raises(ArchiveError, match=f"SHA-256 is {hash_of(model)}, and should be {'0' * 64}"):
            unpacked(model)

    def test_an_archive_that_is_not_locked(self, model):
        """Where there is a lock file, it says what belongs here."""
        write_lock(model.parent / LOCK, {"other.tar.gz": Locked("0" * 64, 3)})
        with pytest.raises(ArchiveError, match=r"not in the lock file.*--lock"):
            unpacked(model)

    def test_the_one_that_is_locked(self, model):
        """Goes on."""
        write_lock(model.parent / LOCK, {model.name: Locked(hash_of(model), model.stat().st_size)})
        assert unpacked(model).is_dir()

    @pytest.mark.parametrize(
        "text",
        [
            "{",
            "[]",
            '{"version": 2, "archives": {}}',
            '{"version": 1, "archives": {"../x.tar.gz": {"sha256": "%s", "bytes": 1}}}' % ("0" * 64),
            '{"version": 1, "archives": {"x.tar.gz": {"sha256": "short", "bytes": 1}}}',
            '{"version": 1, "archives": {"x.tar.gz": {"sha256": "%s", "bytes": -1}}}' % ("0" * 64),
            '{"version": 1, "archives": {"x.tar.gz": {"sha256": "%s", "bytes": 1, "run": "me"}}}' % ("0" * 64),
        ],
    )
    def test_a_bad_lock_file(self, model, text):
        """One message, never a guess."""
        (model.parent / LOCK).write_text(text)
        with pytest.raises(ArchiveError, match="lock file"):
            unpacked(model)
