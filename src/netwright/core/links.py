"""Output links backwards: for a network whose last activation is not its loss's own link."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.registry import Registry


def within(A: Array) -> Array:
    """A, kept one rounding step away from 0 and 1."""
    eps = smallest_step(A)
    return np.clip(A, eps, 1 - eps)


def smallest_step(A: Array) -> Any:
    """The distance from 1 to the next number of A's dtype."""
    return np.finfo(A.dtype).eps


@dataclass(frozen=True)
class Link:
    """An output link backwards, for a network whose last activation is not the loss's own link.

    `back(A)` is Z with link(Z) = A, and dZ/dA. With them the loss on A is value(Z, Y), and the chain rule gives
    dA = dZ · dZ/dA; for logloss that is the article's d_logloss. `outside(A)`: where A is no output of the link; it is
    taken at the edge, where the derivative is 0. `classes(outputs)`: how many classes the outputs (of a block) tell
    apart, or 0.
    """

    back: Callable[[Array], tuple[Array, Array]]
    outside: Callable[[Array], Array]
    classes: Callable[[int], int] = lambda outputs: 0


def _logit(A: Array) -> tuple[Array, Array]:
    a = within(A)
    return np.log(a) - np.log1p(-a), np.where((A < 0) | (A > 1), 0, 1 / (a * (1 - a)))


def _log(A: Array) -> tuple[Array, Array]:
    a = np.maximum(A, smallest_step(A))
    return np.log(a), np.where(A < 0, 0, 1 / a)


LINKS: Registry[Link] = Registry(
    "link",
    {
        "identity": Link(lambda A: (A, np.ones_like(A)), lambda A: np.zeros(A.shape, bool)),
        "sigmoid": Link(_logit, lambda A: (A < 0) | (A > 1), lambda outputs: 2),
        "softmax": Link(_log, lambda A: A < 0, lambda outputs: outputs),  # softmax(log A) = A where a column sums to 1
        "exp": Link(_log, lambda A: A < 0),
    },
    {"softmax": lambda *blocks: LINKS["softmax"]},  # the same by blocks: every step is elementwise
)
