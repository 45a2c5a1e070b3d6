"""All forms of one model give the same IR."""

from __future__ import annotations

import pytest

from harness.checks import forms

pytestmark = pytest.mark.long


@pytest.mark.requirement(*forms.forms.requirements)
def test_forms(evidence, prove):
    prove(forms.forms(evidence))
