"""The gradient, checked: backpropagation's against one that only evaluates the cost."""

from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.network import FeedForward, check_network

STEPS = (1e-3, 1e-4, 1e-5, 1e-6)


def numeric_gradient(network: FeedForward, X: Array, Y: Array, weight: Array | None = None) -> Array:
    """The derivative of the cost by every number of theta, (n_params,), by central differences.

    Each is extrapolated from steps h and h/2 (Richardson), and from h/2 and h/4, which leaves an error of h⁴. Where the
    two disagree, because a relu's kink lies between, h shrinks until they do not. NaN where theta itself lies on a kink
    (a relu's Z is exactly 0, as for inputs of 0 and a fresh b): there is no derivative. Dropout's masks are the same in
    every evaluation. Takes 6 to 32 evaluations of the cost for each parameter, so keep the network small.
    """
    X, Y, weight = check_network(network).check(X, Y, weight)
    theta, state = network.theta, network.rng.bit_generator.state
    kept = network.grad.copy()

    def cost_at(i: int, value: float) -> float:
        before, theta[i] = theta[i], value
        network.rng.bit_generator.state = state
        try:
            return network.backpropagate(X, Y, weight)
        finally:
            theta[i] = before

    def slopes(i: int, h: float) -> tuple[float, float]:
        """The mean of the slopes on both sides, and the right one less the left, which only a kink keeps from 0."""
        left, right = cost - cost_at(i, theta[i] - h), cost_at(i, theta[i] + h) - cost
        return (right + left) / (2 * h), (right - left) / h

    numeric = np.empty(theta.size)
    cost = cost_at(0, theta[0])
    for i in range(theta.size):
        least = np.inf
        for h in STEPS:
            (coarse, _), (middle, bend), (fine, finer_bend) = (slopes(i, h / part) for part in (1, 2, 4))
            best, other = (4 * fine - middle) / 3, (4 * middle - coarse) / 3
            if abs(best - other) > 1e-10 * (1 + abs(best)):  # elu'' jumps at 0: without odd powers of h, too
                finest, _ = slopes(i, h / 8)
                best, other = (8 * finest - 6 * fine + middle) / 3, (8 * fine - 6 * middle + coarse) / 3
            error, kink = abs(best - other), abs(2 * finer_bend - bend)
            if error < least:
                least, numeric[i] = error, best if kink < 1e-7 * (1 + abs(best)) else np.nan
            if error < 1e-10 * (1 + abs(best)):
                break
    network.rng.bit_generator.state = state
    network.grad[...] = kept
    return numeric


def check_gradient(network: FeedForward, X: Array, Y: Array, weight: Array | None = None) -> float:
    """The worst relative error of the network's gradient: |analytic - numeric| / the larger of the two.

    Derivatives under a thousandth of the largest are compared with that, since their digits are lost to rounding. Where
    the cost has a kink (see `numeric_gradient`) there is nothing to compare. In float64 a right gradient stays under
    1e-7. NaN when the cost or the gradient is not finite. ValueError for a float32 network, whose rounding hides such
    errors.

    >>> check_gradient(Network([2, 3, 1], rng=0), np.eye(2), np.array([[0, 1]])) < 1e-7
    True
    """
    if check_network(network).dtype != np.float64:
        raise ValueError("check_gradient needs a float64 network, got float32: its rounding hides errors below 1e-3")
    X, Y, weight = network.check(X, Y, weight)
    state: Any = network.rng.bit_generator.state
    cost = network.backpropagate(X, Y, weight)
    analytic = network.grad.copy()
    if not (np.isfinite(cost) and np.isfinite(analytic).all()):
        return float("nan")
    network.rng.bit_generator.state = state
    numeric = numeric_gradient(network, X, Y, weight)
    smooth = ~np.isnan(numeric)
    analytic, numeric = analytic[smooth], numeric[smooth]
    size = np.maximum(np.abs(analytic), np.abs(numeric))
    floor = max(1e-3 * size.max(initial=0), 1e-8)
    return float(np.max(np.abs(analytic - numeric) / np.maximum(size, floor), initial=0))
