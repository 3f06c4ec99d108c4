"""What the rows held out decide: linear networks, their share of the mixture, its exponent, and how sure it is."""

import math
from functools import partial
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.losses import both_classes
from netwright.core.optimizers import LBFGS
from netwright.engines.threads import one_thread
from netwright.network import Network
from netwright.recipes.checkpoint import pack_network, unpack_network
from netwright.recipes.folds import Fold, Truth, held_out_inputs, held_out_rows, out_of_fold
from netwright.recipes.mixture import tempered
from netwright.recipes.problem import Problem
from netwright.uncertainty.margins import Margin, margin_of_classes, margin_of_numbers, shown

PENALTIES = (0.1, 0.01, 0.001)  # ½·l2·ΣW² of the linear networks


def linear(problem: Problem, folds: list[Fold]) -> list[Network]:
    """A linear network for each fold, with the penalty that predicts best: weaker ones as long as they get better."""

    def fit(fold: Fold, place: int, penalty: float) -> Network:
        network = problem.network(fold.samples.all, (), 0, l2=penalty)

        def fitted() -> Network:
            network.theta = np.zeros_like(network.theta)
            options: Any = {"epochs": 60, "optimizer": LBFGS(restart=None), "scores": (), "engine": "plain"}
            samples = fold.samples.copy()
            network.train(samples.X, samples.Y, weight=samples.weight, **options)
            return network

        return problem.once(f"linear {place}, {penalty:g}", fitted, pack_network, partial(unpack_network, network))

    truth, lowest, best = held_out_rows(folds), math.inf, list[Network]()
    for penalty in PENALTIES:
        tasks = [partial(fit, fold, place, penalty) for place, fold in enumerate(folds)]
        made = problem.run_tasks(None, tasks, {})
        networks = [made[place] for place in range(len(folds))]
        if (cost := problem.cost(out_of_fold(folds, networks, problem.judge), truth.Y, truth.weight)) >= lowest:
            break
        lowest, best = cost, networks
    return best


def linear_share(problem: Problem, deep: Array, linear: Array, truth: Truth) -> float:
    """The linear networks' share of the mixture that predicts best, in twentieths."""
    shares = np.linspace(0, 1, 21)
    costs = [problem.cost((1 - share) * deep + share * linear, truth.Y, truth.weight) for share in shares]
    return float(shares[int(np.argmin(costs))])


def calibrate(problem: Problem, P: Array, truth: Truth) -> float:
    """The exponent of probabilities P that predicts best; a penalty lets few rows move it little (Guo et al. 2017)."""
    exponents = np.exp(np.linspace(-1, 1, 41))
    n = truth.Y.shape[1]
    costs = [problem.cost(tempered(P, each), truth.Y, truth.weight) + 6 * math.log(each) ** 2 / n for each in exponents]
    return float(exponents[int(np.argmin(costs))])


def number_margin(problem: Problem, folds: list[Fold], A: Array, truth: Truth) -> Margin:
    """How far off outputs A, (1, samples), of the rows held out are; by row, unless the time is up or Ctrl-C comes."""
    inputs, n = folds[0].samples.all.X.shape[0], A.shape[1]
    if not problem.is_over():
        places = shown(n, inputs)
        weight = None if truth.weight is None else truth.weight[places]
        try:
            with one_thread("numpy"):
                return margin_of_numbers(held_out_inputs(folds, places), A[0, places], truth.Y[0, places], weight)
        except KeyboardInterrupt:  # all that is lost is that intervals are as wide everywhere
            problem.stop.set()
    return margin_of_numbers(None, A[0], truth.Y[0], truth.weight)


def class_margin(P: Array, truth: Truth) -> Margin:
    """How improbable the true classes of the rows held out were, by probabilities P, (outputs, samples)."""
    return margin_of_classes(both_classes(P).T, both_classes(truth.Y).argmax(axis=0), truth.weight)
