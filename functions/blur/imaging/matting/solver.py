"""Linear systems too large to write down: conjugate gradients.

M. Hestenes, E. Stiefel, "Methods of Conjugate Gradients for Solving Linear Systems", 1952,
with the matrix's diagonal as preconditioner.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Reals: TypeAlias = NDArray[np.float32]


def conjugate_gradients(  # noqa: PLR0913 - a system, where to start and when to stop
    apply: Callable[[Reals], Reals],
    diagonal: Reals,
    right: Reals,
    start: Reals,
    *,
    steps: int,
    tolerance: float,
) -> Reals:
    """Return x with apply(x) = right, nearly; all are (n,).

    `apply` must be symmetric and positive definite, and its `diagonal` positive. It ends
    after `steps`, or once the preconditioned residual is `tolerance` times that of x = 0.
    """
    x, residual = start, right - apply(start)
    enough = tolerance**2 * float(right @ (right / diagonal))
    step = scaled = residual / diagonal
    square = float(residual @ scaled)
    for _ in range(steps):
        if square <= enough:
            break
        product = apply(step)
        length = np.float32(square / float(step @ product))
        x, residual = x + length * step, residual - length * product
        scaled = residual / diagonal
        square, last = float(residual @ scaled), square
        step = scaled + np.float32(square / last) * step
    return x
