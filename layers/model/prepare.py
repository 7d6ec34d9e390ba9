"""Optimise the graph of a model file: `python prepare.py model.onnx ...`.

ONNX Runtime optimises a graph whenever it opens a file. The levels up to "extended" fuse nodes in
ways that are valid on any CPU. The level after "extended" chooses a memory layout for the current
CPU. The file must not depend on the CPU of the build machine, so this script stops at "extended",
and ONNX Runtime applies the last level when the service opens the file:
https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnxruntime as ort


def prepare(path: Path) -> None:
    """Optimise the model's file in place; the model's results do not change."""
    part = path.with_suffix(".part.onnx")
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(part)
    ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    part.chmod(path.stat().st_mode)
    part.replace(path)


if __name__ == "__main__":
    for name in sys.argv[1:]:
        prepare(Path(name))
