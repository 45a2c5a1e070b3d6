"""``irproof convert``: the chain as a converter for users, in words that a user of Model Optimizer knows."""

from __future__ import annotations

import argparse
import re
import sys
import time
from pathlib import Path

from harness.errors import UsageError

HELP = "convert an Object Detection API model to an OpenVINO IR"

EPILOG = """\
Options are spelled as in Model Optimizer where it had them; its own long names
(--tensorflow_object_detection_api_pipeline_config, --transformations_config,
--input_shape, --output_dir, --model_name, --input_checkpoint, ...) work too.
The support configuration is found from the graph; name one only to insist on it.

The IR takes uint8 images [N,H,W,3] in the order the model was trained with (RGB)
and gives DetectionOutput rows: image, class, score, x1, y1, x2, y2.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options on the sub-command's parser."""
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "source",
        nargs="?",
        type=Path,
        metavar="SOURCE",
        help="frozen graph (.pb, .pbtxt), MetaGraph (.meta), SavedModel folder, or a folder as model zoos unpack",
    )
    parser.add_argument("--input_model", dest="source_option", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--input_meta_graph", dest="meta_option", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--saved_model_dir", dest="saved_option", type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "-o",
        "--output-dir",
        "--output_dir",
        "-o_dir",
        dest="output_dir",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder for the .xml and .bin",
    )
    parser.add_argument(
        "--pipeline-config",
        "--tensorflow_object_detection_api_pipeline_config",
        dest="pipeline_config",
        type=Path,
        metavar="FILE",
        help="the model's pipeline.config; default: the one beside SOURCE",
    )
    parser.add_argument(
        "--configuration",
        "--transformations_config",
        "--transformations-config",
        dest="configuration",
        metavar="NAME|FILE",
        help="a support configuration by name (ssd_v2_support, ...) or a JSON file of your own",
    )
    parser.add_argument(
        "--input-shape",
        "--input_shape",
        dest="input_shape",
        metavar="[N,H,W,3]",
        help="another input shape than pipeline.config implies",
    )
    parser.add_argument("-b", "--batch", type=int, metavar="N", help="batch size; default 1")
    parser.add_argument("--output", dest="outputs", metavar="NAMES", help="end at these nodes, separated by commas")
    parser.add_argument(
        "--model-name", "--model_name", "-n", dest="model_name", metavar="NAME", help="name of the IR's files"
    )
    parser.add_argument(
        "--input-checkpoint",
        "--input_checkpoint",
        dest="checkpoint",
        type=Path,
        metavar="PREFIX",
        help="checkpoint with the variables of an inference graph",
    )
    parser.add_argument(
        "--text",
        "--input_model_is_text",
        dest="is_text",
        action="store_true",
        help="SOURCE is a text protobuf (.pbtxt)",
    )
    parser.add_argument(
        "--scale-anchors-with-image",
        action="store_true",
        help="let anchors grow with the image when the IR is reshaped; by default they keep their size in pixels",
    )
    parser.add_argument(
        "--operation-to-add",
        dest="operation_to_add",
        choices=("Proposal", "DetectionOutput"),
        help="what makes the proposals of a detector of two stages; default: Proposal, which is closer to TensorFlow",
    )
    parser.add_argument(
        "--image-info-input",
        action="store_true",
        help="give Proposal the image's height, width and scale by an input of its own, image_info",
    )
    parser.add_argument(
        "--compress-to-fp16",
        "--compress_to_fp16",
        dest="compress_to_fp16",
        action="store_true",
        help="store weights as f16; by default they stay f32",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print nothing but the IR's path")


def run(args: argparse.Namespace) -> int:
    """Convert, print the IR's path, and return the exit status."""
    from harness.converters.chain import convert
    from harness.converters.request import ConversionRequest

    given = [
        path for path in (args.source, args.source_option, args.meta_option, args.saved_option) if path is not None
    ]
    if len(given) != 1:
        raise UsageError(
            "Name one model to convert.", advice="For example: irproof convert frozen_inference_graph.pb -o out"
        )
    model_path, model_format = locate(given[0], is_text=args.is_text, checkpoint=args.checkpoint)
    options: dict[str, object] = {}
    for key in ("configuration", "outputs", "model_name", "operation_to_add"):
        if getattr(args, key):
            options[key] = getattr(args, key)
    if args.outputs:
        options["outputs"] = [name.strip() for name in args.outputs.split(",") if name.strip()]
    for key in ("scale_anchors_with_image", "image_info_input", "compress_to_fp16"):
        if getattr(args, key):
            options[key] = True
    started = time.perf_counter()

    def say(line: str) -> None:
        if not args.quiet:
            print(f"[{time.perf_counter() - started:5.1f} s] {line}", file=sys.stderr, flush=True)

    request = ConversionRequest(
        model_path=model_path,
        model_format=model_format,
        output_dir=args.output_dir,
        pipeline_config=args.pipeline_config or _beside(model_path),
        checkpoint=args.checkpoint,
        input_shape=_shape(args.input_shape, args.batch),
        options=options,
    )
    path = convert(request, say)
    say(f"Done: {path} and {path.with_suffix('.bin').name}.")
    print(path)
    return 0


def locate(source: Path, *, is_text: bool, checkpoint: Path | None) -> tuple[Path, str]:
    """The model file or folder and its format (``frozen``, ``frozen_text``, ``checkpoint``, ``meta_graph``,
    ``saved_model``), also for a folder as the model zoos' archives unpack.
    """
    if source.is_dir():
        if (source / "saved_model.pb").is_file() or (source / "saved_model.pbtxt").is_file():
            return source, "saved_model"
        if (source / "frozen_inference_graph.pb").is_file():
            source = source / "frozen_inference_graph.pb"
        elif metas := sorted(source.glob("*.meta")):
            source = metas[-1]
        elif (source / "saved_model").is_dir():
            return source / "saved_model", "saved_model"
        else:
            raise UsageError(
                "The folder holds no model.",
                where=str(source),
                advice="It should hold frozen_inference_graph.pb, model.ckpt.meta, or saved_model/.",
            )
    if source.suffix == ".meta":
        return source, "meta_graph"
    if checkpoint is not None:
        return source, "checkpoint"
    return source, "frozen_text" if is_text else "frozen"


def _beside(model_path: Path) -> Path | None:
    for folder in (model_path.parent, model_path.parent.parent):
        if (folder / "pipeline.config").is_file():
            return folder / "pipeline.config"
    return None


def _shape(text: str | None, batch: int | None) -> tuple[int, int, int, int] | None:
    if text is None:
        if batch is None:
            return None
        raise UsageError(
            "A batch needs an input shape.", where=f"--batch {batch}", advice=f"Give --input-shape [{batch},H,W,3]."
        )
    numbers = re.findall(r"-?\d+", text)
    if not re.fullmatch(r"\s*[\[(]?\s*-?\d+(\s*,\s*-?\d+){3}\s*[\])]?\s*", text) or any(
        int(side) < 1 for side in numbers
    ):
        raise UsageError(
            "The input shape has to be four positive numbers.", where=repr(text), advice="For example [1,300,300,3]."
        )
    sides = [int(side) for side in numbers]
    if batch is not None:
        if batch < 1:
            raise UsageError("The batch has to be positive.", where=f"--batch {batch}")
        sides[0] = batch
    return sides[0], sides[1], sides[2], sides[3]
