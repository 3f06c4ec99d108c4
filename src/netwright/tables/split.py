"""Which rows of a table are held out."""

import math

import numpy as np

from netwright.core.arguments import Array


def split_rows(
    n_rows: int, fraction: float, rng: np.random.Generator, classes: Array | None = None
) -> tuple[Array, Array]:
    """(training rows, validation rows), both sorted; `fraction` of the rows, at least one, validate.

    With class numbers, shape (n_rows,), every class has its share in both, and at least one row in training.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the validation fraction is {fraction}; it lies between 0 and 1")
    kinds = np.zeros(n_rows) if classes is None else np.asarray(classes)
    groups = [np.flatnonzero(kinds == kind) for kind in np.unique(kinds)]
    sizes = np.array([len(rows) for rows in groups])
    spare = sizes - 1
    wanted = max(1, round(n_rows * fraction))
    if spare.sum() < wanted:
        raise ValueError(f"{n_rows} rows of {len(groups)} classes are too few to set {wanted} of them aside")
    share = sizes * (wanted / n_rows)
    taken = np.minimum(np.floor(share).astype(np.intp), spare)
    while taken.sum() < wanted:  # what rounding down left over goes to the largest remainders
        taken[np.argmax(np.where(taken < spare, share - taken, -np.inf))] += 1
    chosen = [rng.permutation(rows)[:count] for rows, count in zip(groups, taken, strict=True)]
    validation = np.sort(np.concatenate(chosen))
    return np.setdiff1d(np.arange(n_rows), validation), validation


def stratified(key: Array, n_folds: int, rng: np.random.Generator, *, shuffled: bool) -> Array:
    """The fold of each row, (n,): rows with alike keys, (n,), are spread over all folds.

    Sorted by key, each `n_folds` neighbours go to different folds: in random order if `shuffled`, else in turn.
    """
    n = len(key)
    order = rng.permutation(n)
    order = order[np.argsort(key[order], kind="stable")]
    rounds = [rng.permutation(n_folds) if shuffled else np.arange(n_folds) for _ in range(math.ceil(n / n_folds))]
    fold = np.empty(n, int)
    fold[order] = np.concatenate(rounds)[:n]
    return fold


def set_aside(n: int, count: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """(the other rows, `count` of n rows at random)."""
    order = rng.permutation(n)
    return order[count:], order[:count]
