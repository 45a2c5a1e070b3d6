"""Which cases there are, and which of them a caller means.

A listed case is not built yet: listing hundreds costs nothing, and only what is asked for is made.
"""

from __future__ import annotations

import dataclasses
import fnmatch
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.cases.case import Case
from harness.errors import UsageError

PROFILES = ("quick", "full")


@dataclasses.dataclass(frozen=True)
class Listed:
    """A case that can be had: what is known of it before it is built or read, and ``load`` to have it.

    ``load`` raises an IrproofError where the case cannot be built or read. ``seed`` is that of a built-in model's
    weights.
    """

    name: str
    family: str
    era: str
    model_format: str
    traits: frozenset[str]
    origin: str
    load: Callable[[], Case]
    seed: int | None = None


def listed_cases(
    *, model_dirs: Sequence[Path] = (), zoo: Path | None = None, profile: str = "full"
) -> tuple[Listed, ...]:
    """Every case: the built-in ones of the profile, then those of the folders, each group by name.

    Raises:
        UsageError: when a folder holds no model, or two cases have one name.

    """
    found = [*_built_in(profile)]
    for folder in model_dirs:
        found += _in_folder(folder, "user")
    if zoo is not None:
        found += _in_zoo(zoo)
    names = [listed.name for listed in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"Two cases are named {', '.join(twice)}.",
            where=", ".join(str(folder) for folder in (*model_dirs, *((zoo,) if zoo else ()))),
            advice="Rename one of the model's folders.",
        )
    return tuple(found)


def select(
    patterns: Sequence[str] = (), *, model_dirs: Sequence[Path] = (), zoo: Path | None = None, profile: str = "quick"
) -> tuple[Listed, ...]:
    """The cases that are meant.

    With ``patterns``, those whose name equals one or matches it as a glob (``*`` also matches ``/``), of all profiles.
    Without, those of the folders where folders are given, else the built-in ones of the profile.

    Raises:
        UsageError: when nothing is selected, or a pattern selects nothing.

    """
    if not patterns:
        found = listed_cases(model_dirs=model_dirs, zoo=zoo, profile=profile)
        given = [listed for listed in found if listed.origin != "built-in"]
        found = tuple(given) if model_dirs or zoo else found
        if not found:
            raise UsageError(f"There is no case of profile {profile}.", advice="`irproof cases` lists the cases.")
        return found
    found = listed_cases(model_dirs=model_dirs, zoo=zoo, profile="full")
    for pattern in patterns:
        if not any(_matches(listed.name, pattern) for listed in found):
            names = ", ".join(listed.name for listed in found[:8]) + (", ..." if len(found) > 8 else "")
            raise UsageError(
                f"No case matches {pattern!r}.",
                where="--case",
                advice=f"The cases are {names or 'none'}; `irproof cases` lists them all.",
            )
    return tuple(listed for listed in found if any(_matches(listed.name, pattern) for pattern in patterns))


def _matches(name: str, pattern: str) -> bool:
    # By name first: a folder's name may hold brackets, which mean something else in a glob.
    return name == pattern or fnmatch.fnmatchcase(name, pattern)


def _built_in(profile: str) -> list[Listed]:
    from fixtures.catalogue import specs

    return [
        Listed(
            name=spec.name,
            family=spec.family,
            era=spec.era,
            model_format=spec.forms[0],
            traits=spec.traits,
            origin="built-in",
            load=_loader(spec.name),
            seed=getattr(spec.design, "seed", None),
        )
        for spec in sorted(specs("full" if profile == "full" else "quick"), key=lambda spec: spec.name)
    ]


def _loader(name: str) -> Callable[[], Case]:
    def load() -> Case:
        from fixtures.catalogue import case

        return case(name)

    return load


def _in_zoo(folder: Path) -> list[Listed]:
    """The models of a folder, unpacked ones and those in archives as they were downloaded."""
    from harness.archives import archives_in, unpacked

    archives = archives_in(folder) if folder.is_dir() else ()
    found = _in_folder(folder, "zoo", may_be_empty=bool(archives))
    for archive in archives:
        inside = _in_folder(unpacked(archive), "zoo", may_be_empty=True)
        if not inside:
            raise UsageError(
                "The archive holds no model.",
                where=str(archive),
                advice="A model's archive has one folder, with pipeline.config and the model in it.",
            )
        found += inside
    return sorted(found, key=lambda listed: listed.name)


def _in_folder(folder: Path, origin: str, *, may_be_empty: bool = False) -> list[Listed]:
    from harness.cases import discover

    found = []
    for case in discover(folder):
        case = dataclasses.replace(case, origin=origin)  # type: ignore[arg-type]  # noqa: PLW2901
        found.append(
            Listed(
                name=case.name,
                family=case.family,
                era=case.era,
                model_format=case.model_format,
                traits=case.traits,
                origin=origin,
                load=lambda case=case: case,  # type: ignore[misc]
            )
        )
    if not found and not may_be_empty:
        raise UsageError(
            "The folder holds no model.",
            where=str(folder),
            advice="Each model is a folder of its own, with pipeline.config and the model beside it.",
        )
    return sorted(found, key=lambda listed: listed.name)
