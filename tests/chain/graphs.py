"""Small GraphDefs for tests, one tuple a node: name, op, inputs."""

from __future__ import annotations

from tensorboard.compat.proto import graph_pb2


def graph_def(*nodes: tuple[str, ...]) -> graph_pb2.GraphDef:
    result = graph_pb2.GraphDef()
    for name, op, *inputs in nodes:
        result.node.add(name=name, op=op, input=inputs)
    return result
