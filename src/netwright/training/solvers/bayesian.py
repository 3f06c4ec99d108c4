"""Bayesian regularisation: Levenberg-Marquardt, whose penalty follows the evidence from epoch to epoch."""

import math

from netwright.core.arguments import Array
from netwright.core.bayes import Posterior, Precisions
from netwright.core.gauss_newton import Curvature
from netwright.core.optimizers import BayesianRegularization, LevenbergMarquardt
from netwright.training.history import History
from netwright.training.run import Training
from netwright.training.solvers.levenberg import WithMatrix, step_by_step


def step_by_evidence(training: Training, optimizer: BayesianRegularization) -> None:
    """Epochs of one step each, between which the penalty is found anew, until neither moves any more."""
    step_by_step(training, optimizer, lambda curvature: WithEvidence(curvature, training, optimizer))


class WithEvidence(WithMatrix):
    """G as a matrix, and decays that each look at it finds anew. What they come from stands in the history.

    The first epoch keeps those it begins with: what theta happens to be before any step says nothing.
    """

    def __init__(self, curvature: Curvature, training: Training, optimizer: BayesianRegularization):
        super().__init__(curvature)
        network, self.training, history = curvature.network, training, training.history
        self.names, self.moved = optimizer.evidence(network), math.inf  # by how much gamma has, in the last epoch
        self.posterior = Posterior(network, curvature.samples, training.rows, optimizer.shared)
        self.now: Precisions | None = None
        if len(history):  # it goes on
            gamma, beta, evidence, *alphas = (history.evidence[name][-1] for name in self.names)
            self.now = Precisions(gamma, beta, evidence, tuple(alphas))
            curvature.decay = self.posterior.decays(self.now)

    def measure(self) -> float:
        curvature, posterior, before = self.curvature, self.posterior, self.now
        theta, loss = curvature.network.theta, super().measure() - curvature.decayed()
        self.here = self.training.network.theta.copy()
        curvatures = self.G.diagonal() - (0 if curvature.decay is None else curvature.decay)
        if before is None or curvature.decay is None:
            self.turn_to(posterior.start(curvatures))
        assert curvature.decay is not None
        spread = self.spread()
        self.now = posterior.estimate(theta, loss, curvature.decay, curvatures, *spread, before is None)
        self.moved = math.inf if before is None else abs(self.now.gamma - before.gamma)
        self.turn_to(posterior.decays(self.now))
        return loss + curvature.decayed()

    def turn_to(self, decay: Array) -> None:
        """Have those decays in G and in the gradient, whatever was there."""
        curvature, network = self.curvature, self.curvature.network
        change = decay if curvature.decay is None else decay - curvature.decay
        self.G.flat[:: len(self.G) + 1] += change
        network.grad = network.grad + change * network.theta
        curvature.decay = decay

    def note(self, history: History) -> None:
        now = self.now
        assert now is not None
        for name, value in zip(self.names, (now.gamma, now.beta, now.evidence, *now.alphas), strict=True):
            history.evidence.setdefault(name, []).append(value)
        if self.training.validation is None and now.evidence == max(history.evidence["log_evidence"]):
            self.training.best = self.here

    def over(self, optimizer: LevenbergMarquardt, cost: float, fall: float) -> str:
        assert self.now is not None
        rise = fall * self.now.beta * self.posterior.rows
        said = f"the log posterior rose and gamma moved by less than {optimizer.flat:g}"
        return said if max(rise, self.moved) <= optimizer.flat else ""
