"""Model Optimizer 2024.6 in an environment of its own: ``IRPROOF_LEGACY`` is that environment's folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.legacy.bench import Bench
from tests.legacy.model_optimizer import ModelOptimizer


@pytest.fixture(scope="session")
def model_optimizer():
    """The old converter; skipped only where nobody said that there is one."""
    folder = os.environ.get("IRPROOF_LEGACY")
    if not folder:
        pytest.skip("IRPROOF_LEGACY names no environment with openvino-dev 2024.6")
    return ModelOptimizer(Path(folder))


@pytest.fixture(scope="session")
def bench(model_optimizer, request, tmp_path_factory):
    """Conversions of all fixtures that this run asks for, two at a time, and what is proven of them."""
    asked = [item.callspec.params["spec"] for item in request.session.items if "spec" in _parameters(item)]
    bench = Bench(model_optimizer, tmp_path_factory.mktemp("legacy"), list(dict.fromkeys(asked)))
    yield bench
    bench.close()


def _parameters(item):
    return item.callspec.params if hasattr(item, "callspec") else {}
