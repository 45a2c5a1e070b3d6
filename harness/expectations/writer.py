"""A first file of expectations: what failed in a run, to be completed by hand."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from harness.certificate.atomic import write_text
from harness.certificate.model import Result
from harness.errors import Stage
from harness.expectations.entry import FAILING
from harness.expectations.reader import TABLE

# A model that does not come as far as this fails every check of its case: one entry says it all.
_WHOLE_CASE = frozenset(
    stage.value for stage in (Stage.CASE, Stage.REFERENCE, Stage.CONVERT, Stage.READ, Stage.COMPILE, Stage.INFER)
)
_HEAD = """\
# Known failures of {converter}. Each entry says where one is expected (case and requirement may be globs, such as
# "ssd/*" and "SSD-*"), at which stage, why, and where it is tracked: complete the links before you use the file with
#   pytest --expectations {name}
# What passes although a failure is expected, and an entry that fits nothing, make a run fail.
"""


def write_expectations(results: Iterable[Result], path: Path, *, converter: str) -> int:
    """Write an entry for each failure to ``path``, and return how many; the links are left empty.

    Raises UsageError where the file cannot be written.
    """
    entries: dict[tuple[str, str, str, str], str] = {}
    for result in results:
        if result.outcome not in FAILING or not result.requirements:
            continue
        whole = result.stage in _WHOLE_CASE
        key = (
            result.case,
            "*" if whole else result.requirements[0],
            result.stage,
            "" if whole else result.check,
        )
        said = result.findings[0].what if result.findings else f"{result.check} fails"
        entries.setdefault(key, said)
    write_text(path, document(entries, converter=converter, name=path.name))
    return len(entries)


def document(entries: dict[tuple[str, str, str, str], str], *, converter: str, name: str) -> str:
    """The file's text, for entries of case, requirement, stage and check with their reasons."""
    lines = [_HEAD.format(converter=_one_line(converter), name=_one_line(name))]
    for (case, requirement, stage, check), reason in sorted(entries.items()):
        lines += [f"[[{TABLE}]]", f"case = {_text(case)}", f"requirement = {_text(requirement)}"]
        lines += [f"stage = {_text(stage)}", *([f"check = {_text(check)}"] if check else [])]
        lines += [f"reason = {_text(_shortened(reason))}", 'link = ""', ""]
    return "\n".join(lines)


def _text(value: str) -> str:
    """A TOML string; its escapes are JSON's, but for the delete character, which JSON leaves bare."""
    plain = value.encode("utf-8", "backslashreplace").decode("utf-8")
    return json.dumps(plain, ensure_ascii=False).replace("\x7f", "\\u007f")


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:297]}..."
