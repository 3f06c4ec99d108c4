"""L-BFGS over all rows at once, by SciPy."""

import math
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.optimizers import LBFGS
from netwright.training.run import Training


def minimize(training: Training, optimizer: LBFGS) -> None:
    """Epochs of L-BFGS: SciPy runs `restart` of them at a time, an iteration each.

    A training that is resumed in the midst of those does them once more, from where SciPy began its picture of the
    curvature: nothing else brings that back.
    """
    from scipy.optimize import minimize as scipys

    network, history = training.network, training.history
    reached, iterations = training.state(), 0

    def cost_and_gradient(theta: Array) -> tuple[float, Array]:
        network.theta[...] = theta
        cost = training.engine.gradient(network, training.samples)
        # An infinite cost is only a step too far: the line search comes back from it, but not from NaN.
        return cost if cost == cost else math.inf, network.grad.astype(np.float64)

    def after_iteration(intermediate_result: Any) -> None:
        nonlocal reached, iterations
        iterations += 1
        if iterations <= before:  # done by the training that is resumed
            return
        network.theta[...], cost = intermediate_result.x, float(intermediate_result.fun)
        training.check_finite(cost)
        training.record(cost, 0.0)
        reached = training.state()
        training.check_stop(training.callbacks)
        if history.stopped or len(history) % part == 0:
            raise StopIteration

    part = optimizer.restart or training.epochs
    while not history.stopped:
        before = len(history)
        iterations, start = training.picture = training.picture or (before, network.theta.copy())
        try:
            with np.errstate(all="ignore"):
                training.check_finite(cost_and_gradient(start)[0])
                result = scipys(
                    cost_and_gradient,
                    start.astype(np.float64),
                    jac=True,
                    method="L-BFGS-B",
                    callback=after_iteration,
                    options={
                        "maxcor": optimizer.memory,
                        "maxiter": training.epochs,
                        "maxfun": optimizer.evaluations or 10**9,
                        "gtol": optimizer.tolerance,
                        "ftol": 8 * np.finfo(network.dtype).eps if optimizer.flat is None else optimizer.flat,
                    },
                )
        finally:
            network.forget()
            training.roll_back(reached)
        if not history.stopped and (len(history) % part or len(history) == before):
            why = str(result.message).strip().lower() if result.status != 2 else "no step lowers the cost"
            ended = "ended" if result.status == 1 else "converged"  # 1: the evaluations are used up
            history.stopped = f"{ended} after {len(history)} epochs ({why})"
        if optimizer.restart and len(history) % optimizer.restart == 0:
            training.picture = None
        if training.keeper is not None:
            training.keeper.write_if_due()
