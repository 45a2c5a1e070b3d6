from __future__ import annotations

import pytest

from tests.zoo.shared import zoo_folder


@pytest.fixture(scope="session")
def zoo():
    """The folder of real graphs that only developers have."""
    folder = zoo_folder()
    if folder is None:
        pytest.skip("no zoo here: set IRPROOF_SHARED")
    return folder
