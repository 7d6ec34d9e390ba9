"""Reduced-rank regression through a rectifier, in the metric of what the errors do."""

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
"""Added to the covariance's diagonal, relative to its mean."""
DAMPING = 0.05
"""Added to the metric's diagonal, relative to its mean: what hardly matters is not free."""
PENALTIES = (0.05, 0.3, 1.0, 1.0)
"""How closely the linear responses are held, from round to round."""


@dataclass(frozen=True, slots=True)
class Fit:
    """responses ~ (features @ reduce) @ expand.T + bias."""

    reduce: Doubles
    expand: Doubles
    bias: Doubles
    error: float
    """Of the rectified responses, relative to their variance, in the metric."""


def fit(features: Floats, responses: Floats, rank: int, metric: Doubles) -> Fit:
    """Fit a map of the given rank to the responses as a rectifier passes them on.

    Zhang, Zou, He and Sun, "Accelerating very deep convolutional networks", section 3.2: the
    rectifier's part is solved for each value by itself, the low-rank part in closed form.
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
    """The parts of the fit that do not depend on the responses."""

    def __init__(self, features: Floats, metric: Doubles) -> None:
        """Centre the features and factor their covariance and the metric."""
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
        """Return the best map of the rank (Izenman 1975), for responses (samples, channels)."""
        mean = responses.mean(axis=0, dtype=np.float64)
        rest = (responses - mean).astype(np.float32)
        whole = cho_solve(self.factor, (self.centred.T @ rest).astype(np.float64) / len(rest))
        predicted = self.centred @ (whole @ self.root).astype(np.float32)
        _, vectors = np.linalg.eigh((predicted.T @ predicted).astype(np.float64))
        chosen = vectors[:, : -rank - 1 : -1]
        return whole @ self.root @ chosen, self.inverse_root @ chosen, mean

    def energy(self, errors: Doubles) -> float:
        """Return the sum of the squared errors in the metric."""
        return float(np.sum((errors @ self.metric) * errors))


def rectify(values: Doubles | Floats) -> Doubles:
    """Return max(0, value)."""
    return np.maximum(values, 0).astype(np.float64)


def relaxed(responses: Floats, linear: Doubles, penalty: float) -> Floats:
    """Return z that minimises (max(0, y) - max(0, z))² + penalty · (z - linear)²."""
    wanted = rectify(responses)
    off = np.minimum(linear, 0)
    on = rectify((penalty * linear + wanted) / (penalty + 1))
    off_cost = wanted**2 + penalty * (off - linear) ** 2
    on_cost = (wanted - on) ** 2 + penalty * (on - linear) ** 2
    return np.where(off_cost <= on_cost, off, on).astype(np.float32)
