"""An R-FCN's position-sensitive crops: a score map split by bins, each bin cropped, and the mean over all (PSR-1)."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from harness.chain.graph import Tensor
from harness.chain.two_stage.crops import scattered_value
from harness.errors import ConversionError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from harness.chain.graph import Graph

_SPLITS = frozenset({"Split", "SplitV"})
_GATHERS = frozenset({"TensorArrayGatherV3", "TensorArrayGatherV2", "TensorListStack"})
_WRITES = frozenset({"TensorArrayWriteV3", "TensorArrayWriteV2", "TensorListSetItem"})


@dataclasses.dataclass(frozen=True)
class BinCrops:
    """The crops of one score map.

    ``maps`` is ``[N, H, W, bins * C]``, bin by bin; ``result`` what the mean over bins and positions is, ``[N, K, 1, 1,
    C]`` where the crops stand in a loop over images and ``[N * K, 1, 1, C]`` where they do not.
    """

    crops: tuple[str, ...]
    maps: Tensor
    result: Tensor
    looped: bool
    crop_size: tuple[int, int]

    @property
    def bins(self) -> int:
        return len(self.crops)


def split_behind(graph: Graph, crop: str) -> str | None:
    """The Split whose part a CropAndResize crops; None for a crop of whole features."""
    tensor = graph.inputs(crop)[0]
    while graph[tensor.node].op in {"ExpandDims", "Identity"}:
        tensor = graph.inputs(tensor.node)[0]
    return tensor.node if graph[tensor.node].op in _SPLITS else None


def bin_crops(graph: Graph, crops: Iterable[str]) -> list[BinCrops]:
    """The position-sensitive ones among crops, grouped by score map, in the order of their names."""
    groups: dict[str, list[str]] = {}
    for crop in crops:
        split = split_behind(graph, crop)
        if split is not None:
            groups.setdefault(split, []).append(crop)
    return [_group(graph, split, members) for split, members in sorted(groups.items())]


def _group(graph: Graph, split: str, crops: list[str]) -> BinCrops:
    sizes: set[tuple[int, int] | None] = set()
    for crop in crops:
        size = graph.constant(graph.inputs(crop)[3].node)
        sizes.add(None if size is None or size.size != 2 else (int(size.reshape(-1)[0]), int(size.reshape(-1)[1])))
    parts = graph[split].attr["num_split"].i
    if len(sizes) != 1 or None in sizes or parts != len(crops):
        raise ConversionError(
            f"A score map is split into {parts} bins; {len(crops)} are cropped, to sizes {sorted(map(str, sizes))}.",
            where=f"node {split!r} and the crops behind it",
            advice="Convert an R-FCN that the Object Detection API exported.",
            requirement="PSR-1",
        )
    value = graph.inputs(split)[1 if graph[split].op == "Split" else 0]
    maps = scattered_value(graph, value.node)
    mean = _mean_behind(graph, crops)
    looped = maps is not None
    return BinCrops(
        crops=tuple(crops),
        maps=maps if maps is not None else value,
        result=_gathered(graph, mean) if looped else Tensor(mean),
        looped=looped,
        crop_size=next(size for size in sizes if size is not None),
    )


def _mean_behind(graph: Graph, crops: list[str]) -> str:
    """The Mean over positions behind the sum of all bins' crops."""
    name = crops[0]
    seen: list[str] = []
    while True:
        readers = [node for node, _ in graph.consumers(name) if node.op not in {"Shape", "ShapeN"}]
        if len({node.name for node in readers}) != 1 or readers[0].op not in _TO_THE_MEAN:
            raise ConversionError(
                "The crops of a score map's bins do not end in one mean over bins and positions.",
                where=" -> ".join([crops[0], *seen, *(f"{node.name} ({node.op})" for node in readers)]),
                advice="Convert an R-FCN that the Object Detection API exported.",
                requirement="PSR-1",
            )
        name = readers[0].name
        seen.append(f"{name} ({readers[0].op})")
        if readers[0].op == "Mean":
            return str(name)


_TO_THE_MEAN = frozenset({"AddN", "Add", "AddV2", "RealDiv", "Div", "Mul", "Identity", "Mean"})


def _gathered(graph: Graph, written: str) -> Tensor:
    """What a loop stacks of the values that its body writes."""
    queue = [node.name for node, _ in graph.consumers(written) if node.op in _WRITES | {"Reshape", "Identity"}]
    seen: set[str] = set()
    while queue:
        name = queue.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if graph[name].op in _GATHERS:
            return Tensor(name)
        if graph[name].op in _WRITES | {"NextIteration", "Merge", "Switch", "Exit", "Identity", "Reshape"}:
            queue.extend(node.name for node, _ in graph.consumers(name))
    raise ConversionError(
        "Nothing gathers what a loop over crops writes.", where=f"node {written!r}", requirement="PSR-1"
    )
