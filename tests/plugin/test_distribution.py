"""Under pytest-xdist a run finds what it finds without, and only the controller writes."""

from __future__ import annotations

import pytest

pytest.importorskip("xdist")

SUITE = """
import os, pathlib

@pytest.mark.requirement("SSD-3")
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_scores(evidence, prove, batch, request):
    case = request.node.callspec.params["evidence"]
    with pathlib.Path(os.environ["SEEN"]).open("a") as seen:
        seen.write(f"{case} {os.environ.get('PYTEST_XDIST_WORKER', 'alone')}\\n")
    prove(failing(worst_error=float("inf")) if case == "ssd/b" and batch == 2 else passing())
"""


def untimed(certificate):
    for name in ("started", "ended", "duration_s"):
        certificate.pop(name)
    for result in certificate["results"]:
        result.pop("duration_s")
    return certificate


class TestWorkers:
    def test_find_the_same_and_share_no_case(self, world, monkeypatch):
        """One certificate, equal but for times; every case on one worker."""
        world.suite(SUITE)
        monkeypatch.setenv("SEEN", str(world.path / "seen"))
        alone_result, alone = world.certify("--profile", "full", apart=True)
        (world.path / "seen").unlink()
        result, spread = world.certify("--profile", "full", "-n", "2", apart=True)
        assert (result.ret, alone_result.ret) == (1, 1)
        assert untimed(spread) == untimed(alone)
        pairs = {tuple(line.split()) for line in (world.path / "seen").read_text().splitlines()}
        assert len(pairs) == 4  # a case with two workers would stand there twice
        assert {worker for _, worker in pairs} == {"gw0", "gw1"}

    def test_a_worker_that_dies_is_an_error_of_its_check(self, world):
        """The rest runs on, and nothing certifies."""
        world.suite("""
import os

@pytest.mark.requirement("SSD-3")
def test_scores(evidence, prove, request):
    if request.node.callspec.params["evidence"] == "ssd/b":
        os._exit(3)
    prove(passing())
""")
        result, certificate = world.certify("--profile", "full", "-n", "2", apart=True)
        assert result.ret == 1
        outcomes = {one["case"]: one["outcome"] for one in certificate["results"]}
        assert outcomes == {"ssd/a": "passed", "ssd/a-b": "passed", "ssd/b": "error", "ssd/long": "passed"}
        assert certificate["verdict"] == "not_certified"

    def test_what_is_deselected_is_counted(self, world):
        """Workers collect, and the controller has to know."""
        world.suite(SUITE)
        _, certificate = world.certify("--profile", "full", "-n", "2", "-k", "long", apart=True)
        assert certificate["standing_reasons"] == ["9 checks were deselected"]
