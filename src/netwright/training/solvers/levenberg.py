"""Levenberg-Marquardt: an epoch is a damped Gauss-Newton step over all rows that lowers the cost."""

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from netwright.core.arguments import Array
from netwright.core.gauss_newton import BLOCK, Curvature, in_float64
from netwright.core.optimizers import LevenbergMarquardt
from netwright.engines.threads import shared_if_large
from netwright.training.history import History
from netwright.training.run import Training

log = logging.getLogger("netwright")

STEP = 0.1  # of a step, along which its second derivative is taken (Transtrum & Sethna 2012, section 3)
BENDS = 0.75  # twice the bend, of the step's length: of more than that the parabola says nothing (there, equation 15)
LEAST = 1e-30  # of lambda
MANY = 200  # products with G for a step, at most
CLOSE = 1e-2  # of the gradient's length, by which G·step may then differ from it (Dembo, Eisenstat & Steihaug 1982)
ROUNDING = np.finfo(np.float64).eps
LARGE = 1e9  # bytes of G that are worth a warning

Solve = Callable[[Array], Array]


class System(Protocol):
    """The equations (G + lambda)·x = b, where theta stands now."""

    def measure(self) -> float:
        """Look at all rows; the cost, with its gradient in the network's `grad`."""
        ...

    def times(self, v: Array) -> Array:
        """G·v."""
        ...

    def damped(self, damping: float) -> Solve:
        """What gives x for a b; LinAlgError where G + lambda is not positive, to rounding."""
        ...

    def note(self, history: History) -> None:
        """Add to the history what is known of an epoch beside its cost."""
        return

    def over(self, optimizer: LevenbergMarquardt, cost: float, fall: float) -> str:
        """Why an epoch in which the cost fell by so little is the last; "" if it is not."""
        return f"the cost fell by less than {optimizer.flat:g} of it" if fall <= optimizer.flat * cost else ""


class WithMatrix(System):
    """G as a matrix, and Cholesky's factor for each lambda."""

    def __init__(self, curvature: Curvature):
        self.curvature, n = curvature, curvature.network.theta.size
        self.G = np.empty((n, n))

    def measure(self) -> float:
        return self.curvature.gradient(self.G)

    def times(self, v: Array) -> Array:
        return self.G @ v

    def damped(self, damping: float) -> Solve:
        from scipy.linalg import cho_factor, cho_solve

        damped = self.G.copy()
        damped.flat[:: len(damped) + 1] += damping
        factor = cho_factor(damped, lower=True, overwrite_a=True, check_finite=False)
        return lambda b: np.asarray(cho_solve(factor, b, check_finite=False))

    def spread(self) -> tuple[Array, float]:
        """The diagonal of G⁻¹, (n_params,), and log det G, of one that is positive but for rounding.

        0 and infinity where it is not even finite.
        """
        from scipy.linalg import cho_factor
        from scipy.linalg.lapack import dpotri

        n, largest = len(self.G), self.G.diagonal().max()
        for more in (0.0, *(largest * ROUNDING * 10.0**k for k in range(16))):
            copied = np.array(self.G, order="F")
            copied.flat[:: n + 1] += more
            try:
                factor, lower = cho_factor(copied, lower=True, overwrite_a=True, check_finite=False)
                volume = 2 * float(np.log(factor.diagonal()).sum())
                return np.array(dpotri(factor, lower=lower, overwrite_c=True)[0].diagonal()), volume
            except np.linalg.LinAlgError:
                pass
        return np.zeros(n), math.inf


class WithoutMatrix(System):
    """Products with G alone, and conjugate gradients for each lambda."""

    def __init__(self, curvature: Curvature):
        self.curvature = curvature

    def measure(self) -> float:
        return self.curvature.gradient()

    def times(self, v: Array) -> Array:
        return self.curvature.times(v)

    def damped(self, damping: float) -> Solve:
        return lambda b: conjugate_gradients(lambda v: self.times(v) + damping * v, b, CLOSE, MANY)


def conjugate_gradients(times: Solve, b: Array, close: float, most: int) -> Array:
    """x with |A·x - b| <= close·|b|, or after `most` products A·v (Hestenes & Stiefel 1952)."""
    x, r, p = np.zeros_like(b), b.copy(), b.copy()
    square = float(r @ r)
    enough = close**2 * square
    for _ in range(most):
        if not square > enough:
            break
        Ap = times(p)
        rate = square / float(p @ Ap)
        x += rate * p
        r -= rate * Ap
        before, square = square, float(r @ r)
        p = r + square / before * p
    return x


def system_for(optimizer: LevenbergMarquardt, curvature: Curvature) -> System:
    """With G where that was asked for or fits into memory, which is said before it is made."""
    network = curvature.network
    if optimizer.matrix is False:
        return WithoutMatrix(curvature)
    if not optimizer.has_room(network.theta.size):
        log.warning("JᵀJ does not fit, conjugate gradients do without it: %s", optimizer.needs(network))
        return WithoutMatrix(curvature)
    level = logging.WARNING if network.theta.size**2 * 8 > LARGE else logging.INFO
    log.log(level, "JᵀJ: %s", optimizer.needs(network))
    return WithMatrix(curvature)


def step_by_step(
    training: Training, optimizer: LevenbergMarquardt, make: Callable[[Curvature], System] | None = None
) -> None:
    """Epochs of one step each, until there is a reason to stop. A float32 network's are computed in float64.

    `make` makes another system than `system_for`.
    """
    network, history, keeper = training.network, training.history, training.keeper
    twin, samples = in_float64(network, training.samples)
    curvature, n = training.engine.curvature(twin, samples), twin.theta.size
    system = system_for(optimizer, curvature) if make is None else make(curvature)
    threads = shared_if_large("numpy", 2 * n * BLOCK), shared_if_large("scipy", n**3 / 3)
    reached = training.state()
    try:
        with threads[0], threads[1], np.errstate(all="ignore"):  # a step too far may overflow, and is taken back
            while not history.stopped:
                twin.theta[...] = network.theta
                cost = system.measure()
                training.check_finite(cost)
                step = next_step(curvature, system, optimizer, cost, training)
                if isinstance(step, Step):
                    network.theta[...], training.damping = step.theta, step.damping
                    system.note(history)
                    training.record(step.cost - curvature.decayed(), 0.0)
                    reached = training.state()
                    training.check_stop(training.callbacks)
                    step = system.over(optimizer, cost, cost - step.cost) or step
                if isinstance(step, str):
                    history.stopped = f"converged after {len(history)} epochs ({step})"
                if keeper is not None:
                    keeper.write_if_due()
    finally:
        training.roll_back(reached)


@dataclass
class Step:
    """Where a step leads, what the cost is there, and the lambda to begin with there."""

    theta: Array
    cost: float
    damping: float


def next_step(
    curvature: Curvature, system: System, optimizer: LevenbergMarquardt, cost: float, training: Training
) -> Step | str:
    """A step that lowers the cost, from what was measured at it; or why there is none.

    Nielsen's rule: lambda is divided by up to 3 as far as the cost fell as G had promised, or else grows by 2, 4, 8 …
    """
    network, dtype = curvature.network, training.network.dtype
    theta, g, growth = network.theta.copy(), network.grad.copy(), 2.0
    if np.abs(g).max() <= optimizer.tolerance:
        return f"no derivative is larger than {optimizer.tolerance:g}"
    damping = training.damping or optimizer.damping * float(g @ system.times(g)) / float(g @ g)
    damping = max(damping, LEAST)
    while math.isfinite(damping):
        try:
            solve = system.damped(damping)
            velocity = -solve(g)
            length = float(np.linalg.norm(velocity))
            if length <= np.finfo(dtype).eps * float(np.linalg.norm(theta)):
                break
            bend = -solve(curvature.bend(velocity, STEP)) if optimizer.geodesic else np.zeros(1)
            if 2 * float(np.linalg.norm(bend)) <= BENDS * length:
                moved = (theta + velocity + 0.5 * bend).astype(dtype)
                network.theta[...] = moved
                lower = curvature.cost()
                if lower < cost:
                    gain = (cost - lower) / float(0.5 * velocity @ (damping * velocity - g))
                    damping *= max(1 / 3, 1 - (2 * min(gain, 2.0) - 1) ** 3)
                    return Step(moved, lower, max(damping, LEAST))
                network.theta[...] = theta
        except np.linalg.LinAlgError:  # G + lambda is not positive, to rounding
            pass
        damping, growth = damping * growth, 2 * growth
    return "no step lowers the cost"
