"""How strong a penalty the data ask for, and how many parameters they determine: MacKay's evidence.

beta times the loss summed over the samples, E, is minus the log likelihood, and theta has a Gaussian prior of the
precision alpha, so that training minimises beta·E + ½·alpha·Σ theta². Around the minimum the posterior is taken for a
Gaussian with the precision A = beta·H + alpha (Laplace), where H is the Gauss-Newton matrix of E. Of n parameters the
data then determine gamma = n - alpha·tr A⁻¹, the prior the others; and p(data | alpha, beta) is highest where

    alpha = gamma / Σ theta²    and    beta = (N - gamma) / 2E, for N targets with squared errors

(MacKay 1992, "Bayesian interpolation" and "A practical Bayesian framework for backpropagation networks"; Foresee and
Hagan 1997, who take H from Levenberg-Marquardt). Other losses are minus a log likelihood as they are: beta is 1. In a
cost that is a mean over the samples the penalty is ½·decay·Σ theta², with decay = alpha / (beta·samples). Each layer
is a group with an alpha of its own, gamma and Σ theta² being those of the group: its weights have a unit of their own.
Where the estimates lead away from a higher evidence, as they may since they hold at minima alone, the training goes
back to it: `History.peak`.
"""

from dataclasses import dataclass

import numpy as np

from netwright.core.arguments import Array
from netwright.core.network import FeedForward
from netwright.core.samples import Samples

START = 1.0  # the first decay, of the group's mean curvature: smooth functions first, but theta must come away from 0
FAINTEST, STRONGEST = 1e-12, 1e6  # decays, of the largest curvature: beyond them only rounding changes
EXACT = 1e-24  # of the targets' mean square: a mean squared error that is none


@dataclass(frozen=True)
class Precisions:
    """What the data ask for: gamma parameters, the noise's beta and an alpha for each group.

    `evidence`: log p(data | alpha, beta), of those that theta was found with, less what is the same for all of them.
    """

    gamma: float
    beta: float
    evidence: float
    alphas: tuple[float, ...]


class Posterior:
    """The estimates of gamma, alpha and beta for a network and its samples.

    `rows` is the sum of the samples' weights as they were given. A group is a layer's W and b, or all with `shared`.
    """

    def __init__(self, network: FeedForward, samples: Samples, rows: float, shared: bool):
        sizes = [network.theta.size] if shared else [layer.size for layer in network.dense]
        self.sizes, self.rows = np.array(sizes), rows
        self.group = np.repeat(np.arange(len(sizes)), sizes)
        self.gaussian = network.loss.scales
        known = samples.Y == samples.Y  # one that is NaN, where the loss allows it, is none
        self.targets = rows * float(np.average(known.sum(axis=0), weights=samples.weight))
        with np.errstate(over="ignore", under="ignore"):
            square = float(np.mean(np.square(samples.Y), where=known))
        self.exact = EXACT * min(max(square, 1e-200), 1e200)

    def sums(self, values: Array) -> Array:
        """Of values, as theta, the sum over each group."""
        return np.bincount(self.group, values)

    def start(self, curvatures: Array) -> Array:
        """The decays to begin with, as theta, from the diagonal of the cost's curvature."""
        return np.maximum(START * (self.sums(curvatures) / self.sizes), FAINTEST)[self.group]

    def decays(self, precisions: Precisions) -> Array:
        """The decays of these precisions, as theta."""
        return (np.array(precisions.alphas) / (precisions.beta * self.rows))[self.group]

    def estimate(
        self, theta: Array, loss: float, decays: Array, curvatures: Array, spread: Array, volume: float, keep: bool
    ) -> Precisions:
        """From the mean loss at theta, the diagonals of G, which is without decays, and of (G + decays)⁻¹, and the
        logarithm of the latter's determinant.

        With `keep` the decays stay as they are, and only gamma and beta are found.
        """
        gammas = np.clip(self.sizes - self.sums(decays * spread), FAINTEST, self.sizes)
        gamma, beta = float(gammas.sum()), 1.0
        if self.gaussian:
            free = max(self.targets - gamma, 1e-6 * self.targets)
            beta = free / (2 * self.rows * max(loss, self.exact))
        with np.errstate(divide="ignore"):
            asked = gammas / (self.sums(theta**2) * (beta * self.rows))
        largest = float(curvatures.max()) or 1.0
        new = self.sums(decays) / self.sizes if keep else np.clip(asked, FAINTEST * largest, STRONGEST * largest)
        scale, penalty = beta * self.rows, 0.5 * float(decays @ theta**2)
        evidence = 0.5 * (float(np.log(decays).sum()) - volume) - scale * (loss + penalty)
        evidence += 0.5 * self.targets * float(np.log(beta)) if self.gaussian else 0.0
        return Precisions(gamma, beta, evidence, tuple((new * scale).tolist()))
