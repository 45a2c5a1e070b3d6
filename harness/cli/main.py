"""Sub-commands, and what happens when one fails: one message, exit status 2, no traceback."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from harness import __version__
from harness.errors import IrproofError

# Each is a module of this package with ``add_arguments(parser)`` and ``run(args)``; only the one that is called is
# imported, so that asking for help takes no second.
COMMANDS = {
    "convert": "convert a TensorFlow detection model to an OpenVINO IR",
    "cases": "list the cases: built-in ones, and those of a folder of models",
    "converters": "list the converters, and what each claims",
    "requirements": "list the requirements that checks prove",
    "gate": "compare two certificates: what an upgrade changes, and whether it may go in",
    "zoo": "fetch archives of a model zoo, and hold them to a lock file",
    "report": "write a certificate as an HTML page",
}
FAILED = 2
INTERRUPTED = 130


class Command(Protocol):
    """What a module of a sub-command has."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Declare the command's arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Carry the command out and return the exit status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status: the command's own, 2 after an error, 130 after Ctrl-C."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser, commands = _parser(arguments)
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help(sys.stderr)
        return FAILED
    try:
        status = commands[args.command].run(args)
        sys.stdout.flush()
    except IrproofError as error:
        print(f"irproof {args.command}: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"irproof {args.command}: interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output (`| head`) has enough; what is still buffered must not complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def available() -> tuple[str, ...]:
    """The commands that this installation has, in the order of the help."""
    return tuple(name for name in COMMANDS if importlib.util.find_spec(f"harness.cli.{name}") is not None)


def _parser(arguments: Sequence[str]) -> tuple[argparse.ArgumentParser, dict[str, Command]]:
    parser = argparse.ArgumentParser(
        prog="irproof",
        description="Proof that a converter turns a TensorFlow detection model into an IR that gives the same answers. "
        "To certify a converter, run pytest (see `pytest --help`, section irproof).",
    )
    parser.add_argument("--version", action="version", version=f"irproof {__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    asked = next((argument for argument in arguments if not argument.startswith("-")), None)
    commands = {}
    for name in available():
        command = subparsers.add_parser(name, help=COMMANDS[name], description=_sentence(COMMANDS[name]))
        if name == asked:
            commands[name] = cast("Command", importlib.import_module(f"harness.cli.{name}"))
            commands[name].add_arguments(command)
    return parser, commands


def _sentence(summary: str) -> str:
    return f"{summary[0].upper()}{summary[1:]}."
