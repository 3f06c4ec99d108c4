"""Small tables with a target of every kind, for the tests of several wings."""

import numpy as np


def points(n=240, seed=0):
    """Two numbers, a category, and targets of every kind that depend on them."""
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(2, n))
    colour = rng.choice(["red", "green"], n)
    height = 20 + 3 * a - 2 * b + 4 * (colour == "red")
    return {
        "a": a,
        "b": b,
        "colour": colour,
        "height": height,
        "tall": height > 22,
        "size": np.array(["small", "middle", "large"])[np.digitize(height, [20, 24])],
        "count": rng.poisson(np.exp(0.3 * a + 0.5)).astype(float),
        "weight": rng.integers(0, 4, n).astype(float),
    }


def without(table, *names):
    return {name: values for name, values in table.items() if name not in names}


def one_target(target, n=240, seed=0):
    return {name: points(n, seed)[name] for name in ("a", "b", "colour", target)}
