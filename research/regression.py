"""Reduced-rank regression through a rectifier, with errors weighted by a metric."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_factor, cho_solve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Doubles = NDArray[np.float64]

RIDGE = 1e-4
"""This share of the diagonal's mean is added to the diagonal of the covariance."""
DAMPING = 0.05
"""This share of the diagonal's mean is added to the diagonal of the metric, so that no error has
zero weight."""
PENALTIES = (0.05, 0.3, 1.0, 1.0)
"""For each iteration, the weight of the squared distance to the output of the linear map; see
`relaxed`."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A linear map of low rank.

    The responses are approximately (features @ reduce) @ expand.T + bias.
    """

    reduce: Doubles
    expand: Doubles
    bias: Doubles
    error: float
    """The squared error of the rectified responses, as a share of their variance; both are computed
    with the metric."""


def fit(features: Floats, responses: Floats, rank: int, metric: Doubles) -> Fit:
    """Fit a linear map of the given rank to the rectified responses.

    Zhang, Zou, He and Sun, "Accelerating very deep convolutional networks", section 3.2: in each
    iteration, the linear responses are found for each value separately (`relaxed`), and then the
    low-rank map in closed form (`Regression.reduced`).
    """
    metric = metric / np.trace(metric) * len(metric) + DAMPING * np.eye(len(metric))
    regression = Regression(features, metric)
    reduce, expand, bias = regression.reduced(responses, rank)
    for penalty in PENALTIES:
        linear = regression.centred @ reduce.astype(np.float32) @ expand.T + bias
        reduce, expand, bias = regression.reduced(relaxed(responses, linear, penalty), rank)
    linear = regression.centred @ reduce.astype(np.float32) @ expand.T + bias
    error = regression.energy(rectify(responses) - rectify(linear))
    spread = rectify(responses)
    relative = error / regression.energy(spread - spread.mean(axis=0))
    return Fit(reduce, expand, bias - regression.mean @ reduce @ expand.T, relative)


class Regression:
    """The parts of the fit that need only the features and the metric, not `responses`."""

    def __init__(self, features: Floats, metric: Doubles) -> None:
        """Centre the features, factorise their covariance, and compute the metric's square root."""
        self.metric = metric
        self.mean = features.mean(axis=0, dtype=np.float64)
        self.centred = features - self.mean.astype(np.float32)
        covariance = (self.centred.T @ self.centred).astype(np.float64) / len(features)
        ridge = RIDGE * np.trace(covariance) / len(covariance)
        self.factor = cho_factor(covariance + ridge * np.eye(len(covariance)))
        values, vectors = np.linalg.eigh(metric)
        self.root = vectors * np.sqrt(values) @ vectors.T
        self.inverse_root = vectors / np.sqrt(values) @ vectors.T

    def reduced(self, responses: Floats, rank: int) -> tuple[Doubles, Doubles, Doubles]:
        """Return the best linear map of this rank for responses, (samples, channels); Izenman 1975.

        The return values are the map's factors `reduce` and `expand` (see `Fit`), and the mean of
        the responses.
        """
        mean = responses.mean(axis=0, dtype=np.float64)
        rest = (responses - mean).astype(np.float32)
        full_rank = cho_solve(self.factor, (self.centred.T @ rest).astype(np.float64) / len(rest))
        predicted = self.centred @ (full_rank @ self.root).astype(np.float32)
        _, vectors = np.linalg.eigh((predicted.T @ predicted).astype(np.float64))
        chosen = vectors[:, : -rank - 1 : -1]
        return full_rank @ self.root @ chosen, self.inverse_root @ chosen, mean

    def energy(self, errors: Doubles) -> float:
        """Return the sum of the squared errors, weighted by the matrix `metric`."""
        return float(np.sum((errors @ self.metric) * errors))


def rectify(values: Doubles | Floats) -> Doubles:
    """Return max(0, value)."""
    return np.maximum(values, 0).astype(np.float64)


def relaxed(responses: Floats, linear: Doubles, penalty: float) -> Floats:
    """Return the z that minimises (max(0, y) - max(0, z))² + penalty · (z - linear)².

    In this formula, y is a value of `responses`.
    """
    target = rectify(responses)
    off = np.minimum(linear, 0)
    on = rectify((penalty * linear + target) / (penalty + 1))
    off_cost = target**2 + penalty * (off - linear) ** 2
    on_cost = (target - on) ** 2 + penalty * (on - linear) ** 2
    return np.where(off_cost <= on_cost, off, on).astype(np.float32)
