"""The fixtures of the model layer's unit tests, for tests that also start processes."""

from __future__ import annotations

from tests.unit.model_layer.conftest import into, publisher

__all__ = ["into", "publisher"]
