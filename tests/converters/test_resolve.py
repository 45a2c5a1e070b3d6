"""Converters by name: built in, installed, commands, folders, functions; and every wrong name."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

import pytest

from harness.cases.case import Case
from harness.converters import installed, registry, resolve
from harness.converters.claims import Claims
from harness.converters.command import fill_template
from harness.converters.request import ConversionRequest
from harness.errors import UsageError

VENDORS = str(Path(__file__).with_name("vendors.py"))


class TestResolve:
    def test_built_in(self):
        """The built-in ones have a name, a version and claims."""
        for name in ("chain", "ovc", "mo"):
            found = resolve(name)
            assert (found.name, found.way) == (name, "callable")
            assert found.version
            assert found.reproducible
        assert resolve("chain").claims.contract == "detection_output"
        assert resolve("ovc").claims.contract == "tf_outputs"

    @pytest.mark.parametrize("attribute", ["ready_made", "Vendor"])
    def test_object(self, attribute):
        """An object, or a class of such objects, declares its name, version and claims."""
        found = resolve(f"{VENDORS}:{attribute}")
        assert (found.name, found.version, found.reproducible) == ("vendor's best", "3.1", False)
        assert found.claims.families == {"ssd"}
        assert found.claims.formats is None
        assert "speed" in found.claims.options

    def test_function(self, tmp_path, monkeypatch):
        """A function goes by its own name, also by a relative path, and claims everything."""
        monkeypatch.chdir(Path(VENDORS).parent)
        found = resolve("vendors.py:good")
        assert (found.name, found.claims) == ("good", Claims())
        assert Path(found.target.rpartition(":")[0]).is_absolute()

    def test_module(self, tmp_path, monkeypatch):
        """A function of an importable module, which is not imported here."""
        (tmp_path / "irproof_vendor_module.py").write_text("def convert(request): ...\n")
        monkeypatch.syspath_prepend(str(tmp_path))
        found = resolve("irproof_vendor_module:convert")
        assert found.name == "irproof_vendor_module"
        import sys

        assert "irproof_vendor_module" not in sys.modules

    def test_entry_point(self, monkeypatch):
        """An installed converter goes by its entry point's name, and is listed."""
        entry = importlib.metadata.EntryPoint("acme", f"{VENDORS}:ready_made", registry.GROUP)
        monkeypatch.setattr(registry, "_entry_points", lambda: {"acme": entry})
        assert resolve("acme").name == "acme"
        assert [found.name for found in installed()] == ["chain", "ovc", "mo", "acme"]

    def test_command(self):
        """A command goes by its program."""
        found = resolve("command:/opt/mytool/bin/convert {model} -o {output_dir}")
        assert (found.way, found.name) == ("command", "command /opt/mytool/bin/convert")

    def test_folder(self, tmp_path):
        """A folder of IRs has to be there."""
        assert resolve(f"ir:{tmp_path}").target == str(tmp_path)
        with pytest.raises(UsageError, match="no such folder"):
            resolve(f"ir:{tmp_path / 'nothing'}")

    @pytest.mark.parametrize(
        ("spec", "said"),
        [
            ("nothing", "chain, ovc"),
            ("no.such.module:convert", "no module 'no.such.module'"),
            ("/no/such/file.py:convert", "no such file"),
            (f"{VENDORS}:absent", "nothing named 'absent'"),
            (f"{VENDORS}:not_a_converter", "neither callable"),
            (f"{VENDORS}:BadClaims", "unknown keys: familes"),
            (f"{VENDORS}:BadContract", "contract 'rows'"),
            ("command:", "empty"),
            ("command:tool {model}", "where the IR goes"),
            ("command:tool {modle} {output_dir}", "{modle}"),
            ("command:tool 'a {output_dir}", "cannot be read"),
            ("command:tool {output_dir", "cannot be read"),
        ],
    )
    def test_wrong(self, spec, said):
        """What names no converter is a usage error that says why."""
        with pytest.raises(UsageError) as caught:
            resolve(spec)
        assert said in str(caught.value)

    def test_module_that_dies(self, tmp_path):
        """A module that ends its process while it is imported ends a worker, not us."""
        path = tmp_path / "deadly.py"
        path.write_text("import os\nos._exit(5)\n")
        with pytest.raises(UsageError, match="exit code 5"):
            resolve(f"{path}:convert")


class TestClaims:
    @pytest.mark.parametrize(
        ("claims", "said"),
        [
            (Claims(), None),
            (Claims(families=frozenset({"ssd"}), eras=frozenset({"1.14"}), formats=frozenset({"frozen"})), None),
            (Claims(families=frozenset({"rfcn"})), "family ssd is not claimed (claimed: rfcn)"),
            (Claims(eras=frozenset({"1.13", "1.15"})), "era 1.14 is not claimed (claimed: 1.13, 1.15)"),
            (Claims(formats=frozenset()), "format frozen is not claimed (claimed: none)"),
        ],
    )
    def test_refusal(self, claims, said):
        """What is outside of the claims is told by the first word that is."""
        assert claims.refusal(Case("c", "ssd", "1.14", Path("m.pb"), "frozen")) == said


class TestTemplate:
    def request(self, **options):
        return ConversionRequest(Path("/m/a b.pb"), "frozen", Path("/out"), **options)

    def test_all_fields(self):
        """Every field is filled; a path with a blank stays one word."""
        request = self.request(pipeline_config=Path("/p"), checkpoint=Path("/c"), input_shape=(1, 300, 400, 3))
        template = "tool {model} -c {config} -k={checkpoint} -s [{input_shape}] -f {format} -o {output_dir} '{{x}} y'"
        assert fill_template(template, request) == [
            "tool", "/m/a b.pb", "-c", "/p", "-k=/c", "-s", "[1,300,400,3]", "-f", "frozen", "-o", "/out", "{x} y",
        ]  # fmt: skip

    def test_missing_values(self):
        """A word whose value is missing is left out, and with it the option that it belongs to."""
        template = "tool {model} -c {config} -k={checkpoint} --shape {input_shape} last {config} -o {output_dir}"
        assert fill_template(template, self.request()) == ["tool", "/m/a b.pb", "last", "-o", "/out"]
