"""Downloads go on where they broke, say how far they are, and keep nothing that is not whole and right."""

from __future__ import annotations

import hashlib
import json

import pytest

from harness.archives import ArchiveError, DownloadFailure, Locked, address_of, download, read_lock
from harness.archives.lock import LOCK
from harness.cli import main
from harness.errors import UsageError

DATA = bytes(range(256)) * 8192  # 2 MiB
NAME = "model.tar.gz"


@pytest.fixture
def there(server):
    server.files[f"/{NAME}"] = DATA
    return f"{server.url}/{NAME}"


def fetch(address, folder, **options):
    said = []
    path, locked = download(address, folder, say=said.append, pause=0, **options)
    return path, locked, said


def locked_as(data):
    return Locked(hashlib.sha256(data).hexdigest(), len(data))


class TestWhole:
    def test_at_once(self, there, server, tmp_path):
        """With its hash and its address for the lock file, and nothing beside it."""
        path, locked, said = fetch(there, tmp_path)
        assert path.read_bytes() == DATA
        assert locked == Locked(hashlib.sha256(DATA).hexdigest(), len(DATA), there)
        assert [one.name for one in tmp_path.iterdir()] == [NAME]
        assert said[0] == f"{NAME}: from {there}"
        assert "2097152 bytes" in said[-1]

    def test_progress(self, there, tmp_path, monkeypatch):
        """Every few seconds: share, speed, what is left."""
        monkeypatch.setattr("harness.archives.downloading._EVERY_SECONDS", 0.0)
        _, _, said = fetch(there, tmp_path)
        assert any("% of 2.1 MB" in line and "MB/s" in line and "s left" in line for line in said)

    def test_a_redirection(self, there, server, tmp_path):
        """Within http."""
        server.redirect["/moved.tar.gz"] = there
        path, _, _ = fetch(f"{server.url}/moved.tar.gz", tmp_path)
        assert path.name == "moved.tar.gz"
        assert path.read_bytes() == DATA

    @pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/model.tar.gz"])
    def test_a_redirection_elsewhere(self, server, tmp_path, place):
        """A server must not have files of this machine read, nor other servers of other kinds asked."""
        server.redirect[f"/{NAME}"] = place
        with pytest.raises(ArchiveError, match=r"none of http or https|is not allowed"):
            fetch(f"{server.url}/{NAME}", tmp_path)
        assert list(tmp_path.iterdir()) == []


class TestBroken:
    def test_goes_on_where_it_broke(self, there, server, tmp_path):
        """Each byte comes once."""
        server.break_after = [700_000, 300_000]
        path, _, said = fetch(there, tmp_path)
        assert path.read_bytes() == DATA
        assert [status for _, _, status in server.requests] == [200, 206, 206]
        starts = [int(asked[6:-1]) for _, asked, _ in server.requests if asked]
        assert starts == sorted(starts)
        assert 0 < starts[0] <= 700_000
        assert any("goes on at" in line for line in said)

    def test_goes_on_in_a_later_call(self, there, server, tmp_path):
        """What came is kept when the tries are used up."""
        server.break_after = [500_000]
        with pytest.raises(DownloadFailure, match=r"in 1 tries.*broke at \d+ of 2097152.*will go on"):
            fetch(there, tmp_path, tries=1)
        assert (tmp_path / f"{NAME}.part").stat().st_size > 0
        path, _, _ = fetch(there, tmp_path)
        assert path.read_bytes() == DATA
        assert server.requests[-1][2] == 206
        assert [one.name for one in tmp_path.iterdir()] == [NAME]

    def test_another_file_meanwhile(self, there, server, tmp_path):
        """Two halves of different files are never put together."""
        server.break_after = [500_000]
        with pytest.raises(DownloadFailure):
            fetch(there, tmp_path, tries=1)
        server.files[f"/{NAME}"], server.tag = DATA[::-1], '"two"'
        path, _, _ = fetch(there, tmp_path)
        assert path.read_bytes() == DATA[::-1]

    @pytest.mark.parametrize("tag", [None, 'W/"weak"'])
    def test_a_server_that_does_not_say(self, there, server, tmp_path, tag):
        """Without anything to tell versions apart it begins anew, unless a hash will tell in the end."""
        server.tag, server.break_after = tag, [500_000]
        fetch(there, tmp_path)
        assert [asked for _, asked, _ in server.requests] == [None, None]
        (tmp_path / NAME).unlink()
        server.requests, server.break_after = [], [500_000]
        fetch(there, tmp_path, locked=locked_as(DATA))
        assert [status for _, _, status in server.requests] == [200, 206]

    def test_a_server_without_ranges(self, there, server, tmp_path):
        """It begins anew, and is right all the same."""
        server.ranges, server.break_after = False, [500_000]
        path, _, _ = fetch(there, tmp_path)
        assert path.read_bytes() == DATA

    def test_all_had_come(self, there, server, tmp_path):
        """Broken off after the last byte: the server has no more to give."""
        (tmp_path / f"{NAME}.part").write_bytes(DATA)
        path, _, _ = fetch(there, tmp_path, locked=locked_as(DATA))
        assert path.read_bytes() == DATA
        assert [status for _, _, status in server.requests] == [416]

    def test_more_than_all(self, there, server, tmp_path):
        """A longer file of before: it begins anew."""
        (tmp_path / f"{NAME}.part").write_bytes(DATA + b"more")
        path, _, _ = fetch(there, tmp_path, locked=locked_as(DATA))
        assert path.read_bytes() == DATA

    def test_a_server_that_is_busy(self, there, server, tmp_path):
        """Is asked again; one that says no is not."""
        server.failures = [503, 500]
        assert fetch(there, tmp_path)[0].is_file()
        with pytest.raises(DownloadFailure, match="answers 404"):
            fetch(f"{server.url}/none.tar.gz", tmp_path)
        assert sum(path == "/none.tar.gz" for path, _, _ in server.requests) == 1

    def test_no_server(self, server, tmp_path):
        """After a few tries, with the reason."""
        address = f"{server.url}/{NAME}"
        server._server.socket.close()
        with pytest.raises(DownloadFailure, match="in 2 tries"):
            fetch(address, tmp_path, tries=2)


class TestWrong:
    def test_not_what_is_locked(self, there, tmp_path):
        """Nothing is kept."""
        with pytest.raises(ArchiveError, match="What came is not what is locked"):
            fetch(there, tmp_path, locked=locked_as(b"other"))
        assert list(tmp_path.iterdir()) == []

    def test_too_large(self, there, tmp_path):
        """By what the server says."""
        with pytest.raises(ArchiveError, match="has 2097152 bytes, and may have 1000"):
            fetch(there, tmp_path, most_bytes=1000)
        assert not (tmp_path / NAME).exists()

    @pytest.mark.parametrize(
        "address", ["file:///etc/x.tar.gz", "ftp://a/x.tar.gz", "http://a/..%2fx.tar.gz", "http://a/x.zip", "http://a/"]
    )
    def test_an_address_that_is_none(self, tmp_path, address):
        """Before anything is asked."""
        with pytest.raises(ArchiveError):
            download(address, tmp_path)


class TestAddresses:
    @pytest.mark.parametrize(
        ("name", "end"),
        [
            ("ssd_mobilenet_v2_coco_2018_03_29", "object_detection/ssd_mobilenet_v2_coco_2018_03_29.tar.gz"),
            ("efficientdet_d0_coco17_tpu-32", "object_detection/tf2/20200711/efficientdet_d0_coco17_tpu-32.tar.gz"),
            ("https://example.org/x.tar.gz", "https://example.org/x.tar.gz"),
        ],
    )
    def test_by_name(self, name, end):
        """Published models need no address."""
        assert address_of(name).endswith(end)

    @pytest.mark.parametrize("text", ["mobilenet", "../x", "", "ssd_2018_03_29/../../x"])
    def test_anything_else(self, text):
        """Is no name."""
        with pytest.raises(UsageError, match="neither an address nor"):
            address_of(text)


class TestCommand:
    def test_fetches_locks_and_checks(self, there, server, tmp_path, capsys):
        """Once fetched and locked; what is missing comes again from its address, and is held to its hash."""
        folder = tmp_path / "zoo"
        assert main(["zoo", str(folder), there]) == 0
        assert read_lock(folder / LOCK)[NAME].address == there
        (folder / NAME).unlink()
        assert main(["zoo", str(folder)]) == 0
        capsys.readouterr()
        asked = len(server.requests)
        assert main(["zoo", str(folder), NAME, "--json"]) == 0
        assert len(server.requests) == asked
        (row,) = json.loads(capsys.readouterr().out)
        assert (row["archive"], row["state"], row["bytes"]) == (NAME, "as locked", len(DATA))
        (folder / NAME).write_bytes(b"other")
        assert main(["zoo", str(folder)]) == 2
        assert "not the one that is locked" in capsys.readouterr().err

    def test_locks_what_is_there(self, tmp_path, capsys):
        """Archives that came by other ways."""
        (tmp_path / NAME).write_bytes(DATA)
        assert main(["zoo", str(tmp_path)]) == 0
        assert "not locked" in capsys.readouterr().out
        assert main(["zoo", str(tmp_path), "--lock"]) == 0
        assert read_lock(tmp_path / LOCK)[NAME] == locked_as(DATA)
        (tmp_path / NAME).unlink()
        assert main(["zoo", str(tmp_path)]) == 2
        assert "no address" in capsys.readouterr().err
