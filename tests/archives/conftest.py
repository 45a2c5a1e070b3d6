"""Archives of every kind, and a server that has them, with whatever can go wrong on the way."""

from __future__ import annotations

import gzip
import http.server
import io
import tarfile
import threading

import pytest


def member(name, content=b"x", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, content


def make(path, *members, compress=True):
    with tarfile.open(path, "w:gz" if compress else "w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in members:
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
    return path


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IRPROOF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def model(tmp_path):
    """An archive as a zoo has it."""
    return make(
        tmp_path / "my_model.tar.gz",
        member("my_model", b"", type=tarfile.DIRTYPE),
        member("my_model/pipeline.config", b"model { ssd { num_classes: 3 } }", mode=0o4777),
        member("./my_model/frozen_inference_graph.pb", b"graph"),
        member("my_model/saved_model/variables/", b"", type=tarfile.DIRTYPE),
    )


def bomb(path, size):
    """A gzip stream of zeros with one member's header before them."""
    info = tarfile.TarInfo("model/weights")
    info.size = size
    with gzip.open(path, "wb") as stream:
        stream.write(info.tobuf())
        for _ in range(size // (1 << 16)):
            stream.write(bytes(1 << 16))
    return path


class Server:
    """``files`` by path; ``answers`` notes each request's range and the status; ``break_after`` cuts connections."""

    def __init__(self):
        self.files: dict[str, bytes] = {}
        self.tag: str | None = '"one"'
        self.requests: list[tuple[str, str | None, int]] = []
        self.break_after: list[int] = []
        self.failures: list[int] = []
        self.ranges = True
        self.redirect: dict[str, str] = {}
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.answer(self)

            def log_message(self, *_args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, handler):
        asked = handler.headers.get("Range")
        if self.failures:
            return self._send(handler, self.failures.pop(0), b"no", {})
        if handler.path in self.redirect:
            return self._send(handler, 302, b"", {"Location": self.redirect[handler.path]})
        data = self.files.get(handler.path)
        if data is None:
            return self._send(handler, 404, b"", {})
        headers = {"ETag": self.tag} if self.tag else {}
        guard = handler.headers.get("If-Range")
        start = 0
        if asked and self.ranges and guard in (None, self.tag):
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
            if start >= len(data):
                return self._send(handler, 416, b"", {"Content-Range": f"bytes */{len(data)}"})
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        return self._send(handler, 206 if start else 200, data[start:], headers)

    def _send(self, handler, status, body, headers):
        self.requests.append((handler.path, handler.headers.get("Range"), status))
        handler.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        if self.break_after and status in (200, 206):
            handler.wfile.write(body[: self.break_after.pop(0)])
            handler.wfile.flush()
            handler.connection.close()
        else:
            handler.wfile.write(body)

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def server(monkeypatch):
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Server()
    yield made
    made.close()
