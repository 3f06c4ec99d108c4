"""Writes the model files and checkpoints of this folder, once: they are what an old netwright has written.

`python tests/frozen/make.py FOLDER`. The files here were made before the source was put in packages; they are kept as
they are, for whoever has such files, and new kinds are added beside them.
"""

import json
import sys
from pathlib import Path

import numpy as np

from netwright import MLPClassifier, MLPRegressor, Network, TabularClassifier, TabularRegressor, train_table
from netwright.optimizers import LBFGS

DTYPES = ("float64", "float32")
TASKS = ("price", "dear", "class")
HALF, WHOLE = 10, 20  # epochs, after which a checkpoint was written, and with which its training ends


def numbers(seed=0, samples=60):
    """X, (4, samples), and Y, (2, samples)."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(4, samples)).round(3)
    return X, np.array([X[0] * X[1], X[2]]).round(3)


def table(rows=60, seed=8):
    """Numbers with gaps, a category and dates, as JSON can say them; targets of every kind."""
    rng = np.random.default_rng(seed)
    size, shop, day = rng.normal(size=rows).round(3), rng.integers(5, size=rows), rng.integers(1, 29, rows)
    price = (size + shop / 3 - 1).round(3)
    return {
        "size": [None if gap else float(value) for gap, value in zip(rng.random(rows) < 0.1, size, strict=True)],
        "shop": [f"shop {i}" for i in shop],
        "day": [f"2024-03-{i:02}" for i in day],
        "price": price.tolist(),
        "dear": ["yes" if value > 0 else "no" for value in price],
        "class": [["low", "middle", "high"][place] for place in np.digitize(price, [-0.5, 0.5])],
    }


def columns(said, *names):
    """Columns of `table` as train_table and the estimators take them: all features, and these."""
    made = {
        "size": np.array([np.nan if value is None else value for value in said["size"]]),
        "shop": np.array(said["shop"], dtype=object),
        "day": np.array(said["day"], dtype="datetime64[D]"),
    }
    return made | {name: np.array(said[name], dtype=None if name == "price" else object) for name in names}


def start(name, dtype="float64"):
    """(network, arguments of train) of the trainings that left checkpoints; without `epochs`."""
    X, Y = numbers()
    options = {"X": X[:, :48], "Y": Y[:, :48], "validation": (X[:, 48:], Y[:, 48:]), "rng": 11, "engine": "plain"}
    if name == "lbfgs":
        return Network([4, 6, 2], loss="squared_error", rng=3, dtype=dtype), options | {"optimizer": LBFGS(restart=5)}
    network = Network([4, 6, 2], loss="squared_error", dropout=0.3, rng=3, dtype=dtype)
    return network, options | {"optimizer": "adam", "batch_size": 16}


def estimator(kind, **options):
    return kind(**{"hidden_layer_sizes": (6,), "max_iter": WHOLE, "random_state": 5, "engine": "plain"} | options)


def quiet(kind, **options):
    """One that never says that it has not converged, or stops early."""
    return estimator(kind, tol=0.0, n_iter_no_change=np.inf, batch_size=16, **options)


def networks(place, given):
    X, Y = numbers()
    for dtype in DTYPES:
        made = {"loss": "squared_error", "dropout": 0.1, "l2": 1e-3, "rng": 1, "dtype": dtype}
        network = Network([4, 6, 5, 2], ["silu", "leaky_relu"], **made)
        network.train(X, Y, epochs=5, engine="plain")
        network.save(place / f"network-{dtype}.safetensors")
        given[f"network-{dtype}"] = network.predict(X)
        for name in ("adam", "lbfgs"):
            path = place / f"checkpoint-{name}-{dtype}.safetensors"
            network, options = start(name, dtype)
            network.train(**options, epochs=HALF, checkpoint=path)
            given[f"checkpoint-{name}-{dtype}"] = network.predict(X)  # of its best epoch
            network, options = start(name, dtype)
            network.train(**options, epochs=WHOLE)
            given[f"resumed-{name}-{dtype}"] = network.theta


def estimators(place, given):
    X, Y = numbers()
    words, several = np.where(Y[1] > 0, "yes", "no"), np.digitize(Y, [-0.3, 0.3]).T
    for dtype in DTYPES:
        rows = np.asarray(X.T, dtype)
        fits = {
            "classifier": quiet(MLPClassifier).fit(rows, words),
            "classifier-outputs": quiet(MLPClassifier, n_networks=2).fit(rows, several),
            "regressor": quiet(MLPRegressor, early_stopping=True).fit(rows, Y[0]),
            "regressor-outputs": quiet(MLPRegressor, solver="sgd", loss="huber:1.5").fit(rows, Y.T),
        }
        for name, fit in fits.items():
            keep(place, given, f"{name}-{dtype}", fit, rows)
    for kind, y in ((MLPClassifier, words), (MLPRegressor, Y.T)):
        name, path = kind.__name__, place / f"checkpoint-{kind.__name__}.safetensors"
        here = quiet(kind, max_iter=HALF, checkpoint=str(path)).fit(X.T, y)
        given[f"checkpoint-{name}"] = here.networks_[0].predict(X)
        given[f"resumed-{name}"] = quiet(kind).fit(X.T, y).networks_[0].theta


def keep(place, given, name, fit, X):
    """The estimator's file, and what it foretells: probabilities where there are any."""
    fit.save(place / f"{name}.safetensors")
    told = getattr(fit, "predict_proba", fit.predict)(X)
    given[name] = np.hstack(told) if isinstance(told, list) else told


def tables(place, given):
    said = table()
    (place / "table.json").write_text(json.dumps(said) + "\n")
    for target in TASKS:
        rows = columns(said, target)
        one = train_table(rows, target, hidden=(6,), epochs=HALF, engine="plain")
        one.save(place / f"table-one-{target}.safetensors")
        given[f"table-one-{target}"] = one.outputs(rows)
    mixtures(place, given, said)


def mixtures(place, given, said):
    """With hidden layers of a few neurons: a file of the recipe's own size takes 600 KB."""
    from netwright import recipe

    recipe.HIDDEN = (6, 5)
    for target in ("price", "class"):
        rows = columns(said, target)
        mixture = train_table(rows, target, validation=0, seed=3, engine="plain")
        mixture.save(place / f"table-mixture-{target}.safetensors")
        given[f"table-mixture-{target}"] = mixture.outputs(rows, notes=[])
    for kind, target in ((TabularRegressor, "price"), (TabularClassifier, "class")):
        fit = kind(random_state=3, engine="plain").fit(columns(said), np.array(said[target]))
        assert fit.mixture_ is not None
        keep(place, given, kind.__name__, fit, columns(said))


def main(place):
    place.mkdir(exist_ok=True)
    given = dict(zip("XY", numbers(), strict=True))
    networks(place, given)
    estimators(place, given)
    tables(place, given)
    np.savez_compressed(place / "given.npz", **given)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
