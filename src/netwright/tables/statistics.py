"""Weighted mean, spread and quantiles of a column."""

from typing import Any

import numpy as np

from netwright.core.arguments import Array


def moments(values: Array, weight: Array) -> tuple[float, float]:
    """Weighted mean and standard deviation (of the population); weight k counts as k copies."""
    scale = float(np.abs(values).max(initial=0)) or 1.0  # at 1e300, and at 1e-300, squares would leave the floats
    mean = float(np.average(values / scale, weights=weight))
    off = values / scale - mean
    spread = float(np.abs(off).max(initial=0)) or 1.0
    return scale * mean, scale * spread * float(np.sqrt(np.average((off / spread) ** 2, weights=weight)))


def quantiles(values: Array, weight: Array, at: Any) -> Array:
    """The weighted quantiles at these shares, each one of the values; weight k counts as k copies."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weight[order])
    places = np.searchsorted(reached, np.asarray(at) * reached[-1] * (1 - 1e-12), "left")
    return np.asarray(values[order][places])
