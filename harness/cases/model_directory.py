"""A user's models: one folder each, as the model zoos' archives unpack (DESIGN 2)."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from pathlib import Path

from harness.cases.case import Case, Family, Format, Scene
from harness.cases.era import StructureGuess, guess_structure
from harness.cases.graph_facts import GraphFacts, read_graph_facts
from harness.cases.scenes import fitted_scenes, generated_scenes, image_files
from harness.errors import CaseError, PipelineConfigError, UsageError
from harness.pipeline.config import PipelineConfig
from harness.pipeline.input_size import expected_input_size

_CONFIG = "pipeline.config"
_FROZEN = "frozen_inference_graph.pb"
_FROZEN_TEXT = "frozen_inference_graph.pbtxt"
_INFERENCE_GRAPHS = ("inference_graph.pb", "inference_graph.pbtxt", "graph.pb", "graph.pbtxt")
_CHECKPOINT_FILE = re.compile(r"(model\.ckpt(?:-(\d+))?)\.(?:meta|index)")
# Where nothing at all fixes a size; the zoos' most frequent one.
_ANY_SIZE = (300, 300)


@dataclasses.dataclass(frozen=True)
class _Form:
    """One form in which a model lies in its folder; ``suffix`` tells its case's name from the others'."""

    suffix: str
    model_format: Format
    path: Path
    checkpoint: Path | None = None


def discover(model_dir: Path | str) -> list[Case]:
    """The cases of a folder of model folders, or of one model's folder, by name.

    A folder with a pipeline.config and no model beside it is listed too: converting it will say what is missing.
    :class:`UsageError` when there is no such folder.
    """
    folder = Path(model_dir)
    if not folder.is_dir():
        raise UsageError(
            "There is no such folder of models." if not folder.exists() else "The folder of models is a file.",
            where=str(folder),
            advice="Give a folder with one model a folder in it, or one model's folder.",
        )
    if _is_model(folder):
        return read_model_directory(folder)
    try:
        children = sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith("."))
    except OSError as error:
        raise UsageError(f"The folder of models cannot be read: {error.strerror}.", where=str(folder)) from None
    return [case for child in children if _is_model(child) for case in read_model_directory(child)]


def read_model_directory(folder: Path | str, name: str | None = None) -> list[Case]:
    """The cases of one model's folder, one for each form that lies in it, the frozen graph first.

    The frozen graph's case has the folder's name (or ``name``), the others' end in ``@checkpoint``, ``@meta_graph``,
    ``@saved_model`` or ``@frozen_text``. Family and era are told from the graph, or from pipeline.config where the
    graph cannot be read. Pictures of ``images/`` are resized to the model's own size; without that folder scenes are
    drawn. A folder without pipeline.config and model, or a picture that cannot be read, is a :class:`CaseError`.
    """
    folder = Path(folder)
    forms = _forms(folder)
    config_path = folder / _CONFIG
    if not forms and not config_path.is_file():
        raise CaseError(
            "The folder holds no model.",
            where=str(folder),
            advice=f"It needs one of {_FROZEN}, model.ckpt.meta, saved_model/.",
        )
    if not forms:
        forms = [_Form("", "frozen", folder / _FROZEN)]
    config = _config(config_path)
    facts = read_graph_facts(forms[0].path, forms[0].model_format)
    guess = guess_structure(facts.names) if facts.names else StructureGuess("other")
    scenes = _scenes(folder / "images", _input_size(config, facts), config)
    base = name or folder.resolve().name
    return [
        Case(
            name=f"{base}{form.suffix}",
            family=_family(config, guess, facts),
            era=guess.era,
            model_path=form.path,
            model_format=form.model_format,
            pipeline_config=config_path if config_path.exists() else None,
            checkpoint=form.checkpoint,
            scenes=scenes,
            traits=guess.traits | _config_traits(config),
            origin="user",
        )
        for form in forms
    ]


def _is_model(folder: Path) -> bool:
    return (folder / _CONFIG).is_file() or bool(_forms(folder))


def _forms(folder: Path) -> list[_Form]:
    forms = []
    if (folder / _FROZEN).is_file():
        forms.append(_Form("", "frozen", folder / _FROZEN))
    if (folder / _FROZEN_TEXT).is_file():
        forms.append(_Form("@frozen_text", "frozen_text", folder / _FROZEN_TEXT))
    prefix = _checkpoint(folder)
    if prefix is not None:
        for graph in _INFERENCE_GRAPHS:
            if (folder / graph).is_file() and prefix.with_name(f"{prefix.name}.index").is_file():
                forms.append(_Form("@checkpoint", "checkpoint", folder / graph, prefix))
                break
        meta = prefix.with_name(f"{prefix.name}.meta")
        if meta.is_file():
            forms.append(_Form("@meta_graph", "meta_graph", meta))
    saved_model = folder / "saved_model"
    if any((saved_model / file).is_file() for file in ("saved_model.pb", "saved_model.pbtxt")):
        forms.append(_Form("@saved_model", "saved_model", saved_model))
    return forms


def _checkpoint(folder: Path) -> Path | None:
    """The prefix of ``model.ckpt``, else of the ``model.ckpt-<step>`` with the highest step."""
    found: dict[str, int] = {}
    for path in folder.glob("model.ckpt*"):
        match = _CHECKPOINT_FILE.fullmatch(path.name)
        if match:
            found[match[1]] = int(match[2]) if match[2] else 1 << 62
    return folder / max(found, key=lambda name: found[name]) if found else None


def _config(path: Path) -> PipelineConfig | None:
    """The config, or None where there is none that can be read: converting the model will say why."""
    try:
        return PipelineConfig.read(path) if path.exists() else None
    except PipelineConfigError:
        return None


def _family(config: PipelineConfig | None, guess: StructureGuess, facts: GraphFacts) -> Family:
    return config.family if config is not None and (not facts.names or guess.family == "other") else guess.family


def _input_size(config: PipelineConfig | None, facts: GraphFacts) -> tuple[int, int]:
    if config is not None:
        try:
            return expected_input_size(config.image_resizer, None)
        except (PipelineConfigError, UsageError):
            pass  # the graph may know
    return facts.input_size or _ANY_SIZE


def _scenes(images: Path, size: tuple[int, int], config: PipelineConfig | None) -> tuple[Scene, ...]:
    if images.is_dir():
        return fitted_scenes(image_files(images), *size)
    try:
        classes = config.num_classes if config is not None else 1
    except PipelineConfigError:
        classes = 1
    return generated_scenes(*size, classes)


def _config_traits(config: PipelineConfig | None) -> frozenset[str]:
    if config is None:
        return frozenset()
    traits = {"keep_aspect_ratio"} if _has(config, "image_resizer.keep_aspect_ratio_resizer") else set()
    with contextlib.suppress(PipelineConfigError):
        traits.add(config.score_converter.lower())
    if config.feature_extractor.use_depthwise:
        traits.add("depthwise")
    return frozenset(traits)


def _has(config: PipelineConfig, key: str) -> bool:
    return config.has(f"model.{config.meta_architecture}.{key}")
