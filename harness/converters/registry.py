"""Converters by what a caller writes: built-in names, installed names, commands, folders of IRs, functions."""

from __future__ import annotations

import dataclasses
import importlib.metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness import __version__
from harness.converters import mo
from harness.converters.claims import Claims
from harness.converters.command import parse_template
from harness.errors import UsageError
from harness.workers.target import split_target

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUP = "irproof.converters"

Way = Literal["callable", "command", "ready"]


@dataclasses.dataclass(frozen=True)
class Converter:
    """A converter that was found, not yet called.

    ``spec`` is what the caller wrote; ``way`` how it is called: a ``callable`` named by ``target``
    (``module:attribute`` or ``/path/file.py:attribute``), a ``command`` whose template is ``target``, or ``ready`` IRs
    in the folder ``target``. ``reproducible`` ones answer a content always alike as long as this project and OpenVINO
    are the same, so that their IRs may be kept between sessions; ``sources`` then names the files and folders of this
    project that matter, where these are not all. ``prepare`` is the function, as a target, that sets up an environment
    of the converter's own before its first conversion, and is quick from then on.
    """

    spec: str
    name: str
    way: Way
    target: str
    version: str = ""
    claims: Claims = dataclasses.field(default_factory=Claims)
    reproducible: bool = False
    sources: tuple[str, ...] = ()
    prepare: str = ""
    options: Mapping[str, object] = dataclasses.field(default_factory=dict)


_CHAIN = Claims(
    families=frozenset({"ssd", "efficientdet", "quantized", "faster_rcnn", "rfcn", "mask_rcnn"}),
    eras=frozenset({"1.6", "1.7", "1.10", "1.11", "1.13", "1.14", "1.15", "2.0", "2.4"}),
    contract="detection_output",
    options={
        "configuration": "a support configuration by name, or a JSON file",
        "outputs": "names of nodes to end at",
        "compress_to_fp16": "store weights as f16",
        "model_name": "name of the IR's files",
        "scale_anchors_with_image": "let anchors grow with the image when the IR is reshaped",
        "operation_to_add": "make proposals by Proposal or by DetectionOutput",
        "image_info_input": "give Proposal the image's height and width as an input of its own",
    },
)
# It reads no checkpoints of the second version beside an inference graph.
_OVC = Claims(formats=frozenset({"frozen", "frozen_text", "meta_graph", "saved_model"}), contract="tf_outputs")

# What its configurations are for; it has none for FakeQuant graphs and classifiers, which it takes as they are.
_MO = Claims(
    families=frozenset(mo.CONFIGURATIONS),
    eras=frozenset(era for eras in mo.CONFIGURATIONS.values() for era in eras),
    contract="detection_output",
    options={
        "transformations_config": "another of its configurations, by name or path",
        "reverse_input_channels": "take BGR in place of RGB",
    },
)


def resolve(spec: str) -> Converter:
    """The converter that ``spec`` names.

    ``chain`` (built in: the replacer chain), ``ovc`` (OpenVINO's own ``convert_model``), ``mo`` (Model
    Optimizer 2024.6), the name of an installed
    entry point of the group ``irproof.converters``, ``command:TEMPLATE``, ``ir:FOLDER``, ``module:attribute`` or
    ``path/file.py:attribute``. A vendor's code is imported in a worker, never here.

    Raises UsageError when there is no such converter, or what it declares makes no sense.
    """
    if spec in _BUILT_IN:
        return _BUILT_IN[spec]
    if spec.startswith("command:"):
        template = spec.removeprefix("command:")
        return Converter(spec, f"command {parse_template(template)[0]}", "command", template)
    if spec.startswith("ir:"):
        folder = Path(spec.removeprefix("ir:")).expanduser().absolute()
        if not folder.is_dir():
            raise UsageError(
                "There is no such folder of IRs.", where=str(folder), advice="Look at the path's spelling."
            )
        return Converter(spec, f"IRs in {folder.name}", "ready", str(folder))
    entry = _entry_points().get(spec)
    if entry is not None:
        return _described(spec, entry.value, name=spec)
    if ":" not in spec:
        names = ", ".join([*_BUILT_IN, *sorted(_entry_points())])
        raise UsageError(
            f"There is no converter {spec!r}.",
            where="--converter",
            advice=f"The installed ones are {names}; or give command:TEMPLATE, ir:FOLDER, module:attribute or"
            " path.py:attribute.",
        )
    module, attribute = split_target(spec)
    if module.endswith(".py"):
        spec_path = Path(module).expanduser().absolute()
        if not spec_path.is_file():
            raise UsageError("There is no such file.", where=str(spec_path), advice="Look at the path's spelling.")
        return _described(spec, f"{spec_path}:{attribute}")
    return _described(spec, spec)


def installed() -> tuple[Converter, ...]:
    """The built-in converters, then those of installed entry points by name; one that is broken raises UsageError."""
    return (*_BUILT_IN.values(), *(resolve(name) for name in sorted(_entry_points()) if name not in _BUILT_IN))


def _entry_points() -> dict[str, importlib.metadata.EntryPoint]:
    return {entry.name: entry for entry in importlib.metadata.entry_points(group=GROUP)}


def _described(spec: str, target: str, name: str | None = None) -> Converter:
    from harness.workers.limits import Limits
    from harness.workers.outcome import WorkerFailure
    from harness.workers.worker import run_isolated

    outcome = run_isolated("harness.converters.description:describe", {"target": target}, Limits(seconds=120))
    if isinstance(outcome.error, WorkerFailure):
        raise UsageError(
            f"The converter cannot be imported: it {outcome.how}.",
            where=outcome.error.where or target,
            advice=f"See that {split_target(target)[0]} can be imported.",
        )
    told: dict[str, Any] = outcome.result()
    return Converter(spec, name or told["name"], "callable", target, told["version"], told["claims"])


def version_of(package: str) -> str:
    """The installed version of a package, or nothing."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # it will be missed when it is called
        return ""


_BUILT_IN = {
    "chain": Converter(
        "chain", "chain", "callable", "harness.converters.chain:convert", __version__, _CHAIN, reproducible=True
    ),
    "ovc": Converter(
        "ovc",
        "ovc",
        "callable",
        "harness.converters.ovc:convert",
        version_of("openvino"),
        _OVC,
        reproducible=True,
        sources=("converters/ovc.py", "converters/invoke.py", "converters/request.py"),
    ),
    "mo": Converter(
        "mo",
        "mo",
        "callable",
        "harness.converters.mo:convert",
        mo.VERSION,
        _MO,
        reproducible=True,
        sources=("converters/mo.py", "converters/invoke.py", "converters/request.py"),
        prepare="harness.converters.mo:prepare",
    ),
}
