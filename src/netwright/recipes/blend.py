"""What the rows held out decide: linear networks, their share of the mixture, and its exponent."""

import math
from functools import partial
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.optimizers import LBFGS
from netwright.network import Network
from netwright.recipes.mixture import tempered
from netwright.recipes.parts import Part, Rows, foretold, watched
from netwright.recipes.problem import Problem

PENALTIES = (0.1, 0.01, 0.001)  # ½·l2·ΣW² of the linear networks


def linear(problem: Problem, parts: list[Part]) -> list[Network]:
    """A linear network for each part, with the penalty that foretells best: weaker ones as long as they get better."""

    def fit(rows: Rows, penalty: float) -> Network:
        network = problem.network(rows, (), 0, l2=penalty)
        network.theta = np.zeros_like(network.theta)
        options: Any = {"epochs": 60, "optimizer": LBFGS(restart=None), "scores": (), "engine": "plain"}
        network.train(rows.X, rows.Y, weight=rows.weight, **options)
        return network

    truth, lowest, best = watched(parts), math.inf, list[Network]()
    for penalty in PENALTIES:
        made = problem.do(None, [partial(fit, part.rows, penalty) for part in parts], {})
        networks = [made[place] for place in range(len(parts))]
        if (cost := problem.cost(foretold(parts, networks), truth.Y, truth.weight)) >= lowest:
            break
        lowest, best = cost, networks
    return best


def share_of(problem: Problem, said: Array, plain: Array, truth: Rows) -> float:
    """The linear networks' share of the mixture that foretells best, in twentieths."""
    shares = np.linspace(0, 1, 21)
    costs = [problem.cost((1 - share) * said + share * plain, truth.Y, truth.weight) for share in shares]
    return float(shares[int(np.argmin(costs))])


def temper(problem: Problem, said: Array, truth: Rows) -> float:
    """The exponent that foretells best, under a penalty by which few rows move it little (Guo et al. 2017)."""
    exponents = np.exp(np.linspace(-1, 1, 41))
    n = len(truth)
    costs = [
        problem.cost(tempered(said, each), truth.Y, truth.weight) + 6 * math.log(each) ** 2 / n for each in exponents
    ]
    return float(exponents[int(np.argmin(costs))])
