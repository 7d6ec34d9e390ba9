"""Optimise the graph of a model file: `python prepare.py model.onnx ...`.

ONNX Runtime optimises a graph whenever it opens a file. The levels up to "extended" fuse nodes
in ways that are valid on any CPU. The last level chooses a memory layout for the current CPU. The
file must not depend on the CPU of the build machine, so the service applies this level at its
start:
https://onnxruntime.ai/docs/performance/model-optimizations/graph-optimizations.html
"""

from __future__ import annotations

import sys
from pathlib import Path

import onnxruntime as ort


def prepare(path: Path) -> None:
    """Optimise the file in place; its results stay the same."""
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
