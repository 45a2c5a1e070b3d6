"""Built-in fixtures for tests of the chain, each built once for all sessions."""

from __future__ import annotations

import pytest
from tensorboard.compat.proto import graph_pb2

from fixtures.catalogue import build
from harness.pipeline.config import PipelineConfig


@pytest.fixture(scope="session")
def folder():
    """The model directory of a built-in fixture, by name."""
    return lambda name: build([name])[name]


@pytest.fixture
def frozen(folder):
    """The frozen GraphDef of a built-in fixture, fresh for each call."""

    def load(name: str) -> graph_pb2.GraphDef:
        graph = graph_pb2.GraphDef()
        graph.ParseFromString((folder(name) / "frozen_inference_graph.pb").read_bytes())
        return graph

    return load


@pytest.fixture
def config(folder):
    """A fixture's pipeline.config, with pieces of its text replaced; each piece has to be there."""

    def read(name: str, *replacements: tuple[str, str]) -> PipelineConfig:
        text = (folder(name) / "pipeline.config").read_text()
        for old, new in replacements:
            assert old in text, f"{old!r} is not in the pipeline.config of {name}"
            text = text.replace(old, new)
        return PipelineConfig.parse(text, "edited.config")

    return read
