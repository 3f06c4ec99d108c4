"""The training loop: a run, from its first checkpoint to its last, whatever ends it.

An epoch counts as a whole or not at all: whatever interrupts it, the network, the optimizer, the generator and the
history go back to where they stood before.
"""

from netwright.core.optimizers import Optimizer
from netwright.training.history import History
from netwright.training.run import Training
from netwright.training.solvers import SOLVERS


def run(training: Training) -> History:
    """Train to the end, by the solver that the optimizer names; returns the history."""
    training.network.use_rng(training.rng)
    optimizer, keeper = training.optimizer, training.keeper
    if isinstance(optimizer, Optimizer) and not optimizer.fits(training.network.theta):
        optimizer.start(training.network.theta)  # new, or last used on another network
    try:
        if keeper is not None:
            keeper.write_if_due()
        with training.engine.hold(training.network, training.batch_size):
            SOLVERS[optimizer.solver](training, optimizer)
        if keeper is not None:
            keeper.end()
    except KeyboardInterrupt:
        training.history.stopped = f"interrupted after {len(training.history)} epochs"
        if keeper is not None and training.picture is None:  # L-BFGS goes on only from places of its own
            keeper.end()
    finally:
        training.settle()
    return training.history
