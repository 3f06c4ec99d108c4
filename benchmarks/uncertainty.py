"""How sure the tabular estimators are, and how sure they say they are: intervals, sets of classes, rows out of place.

    python benchmarks/uncertainty.py [--quick] [--tables FOLDER] [--level 90] [--splits 5] [--rows 2000] [--peers]

On tables that scikit-learn brings, or those of a folder: Parquet files and an index.json, a list of objects with name,
target and task. Learned from 80 % of a table, at most --rows; judged by the rest, at most 4,000. Means over the splits.

Of numbers: the share of rows whose truth is in the interval, the mean width in standard deviations of the target, and
the interval score in the same units (Gneiting and Raftery 2007, equation 43: the width, and where the truth lies
outside, 2 / (1 - level) times how far). Of classes: the share of rows whose class is in the set, and the mean number of
classes in it. Of rows: the share with a familiarity below 0.05, and of the same rows with each column shuffled.

--peers, each where it is installed: CatBoost's quantiles of both ends; MAPIE's CV+ (of numbers) and LAC sets (of
classes) around scikit-learn's boosted trees. Both at their defaults, with numbers in place of categories for MAPIE's.
"""

import argparse
import importlib.util
import json
import os
import time
import warnings
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import OrdinalEncoder

from netwright import TabularClassifier, TabularRegressor

JUDGED = 4000


def bundled():
    """(name, columns, targets, whether they are classes) of each table that scikit-learn brings, or makes."""
    rng = np.random.default_rng(0)
    U = rng.random((2000, 5))
    noisy = 3 * U[:, 0] + np.sin(6 * U[:, 1]) + 10 ** (U[:, 2] - 1) * rng.normal(size=2000)
    for name, (X, y), classes in (
        ("diabetes", datasets.load_diabetes(return_X_y=True), False),
        ("friedman1", datasets.make_friedman1(2000, noise=1, random_state=0), False),
        ("noise that grows", (U, noisy), False),
        ("iris", datasets.load_iris(return_X_y=True), True),
        ("wine", datasets.load_wine(return_X_y=True), True),
        ("breast_cancer", datasets.load_breast_cancer(return_X_y=True), True),
        ("digits", datasets.load_digits(return_X_y=True), True),
        ("hastie_10_2", datasets.make_hastie_10_2(4000, random_state=0), True),
    ):
        yield name, {f"x{j}": column for j, column in enumerate(X.T)}, y, classes


def of_folder(folder):
    """The same, of each table of a folder; a category's gaps are None."""
    import pandas

    for entry in json.loads((folder / "index.json").read_text()):
        frame = pandas.read_parquet(folder / f"{entry['name']}.parquet")
        y, columns = frame.pop(entry["target"]), {}
        for name, values in frame.items():
            if pandas.api.types.is_numeric_dtype(values):
                columns[name] = values.to_numpy(float)
            else:
                columns[name] = np.array([None if pandas.isna(each) else str(each) for each in values], object)
        classes = entry["task"] != "regression"
        yield entry["name"], columns, y.astype(str).to_numpy(object) if classes else y.to_numpy(float), classes


def take(columns, rows):
    return {name: values[rows] for name, values in columns.items()}


def shuffled(columns, rng):
    return {name: rng.permutation(values) for name, values in columns.items()}


def judged(low, high, truth, level):
    """(coverage, mean width, interval score) in the truth's units."""
    beyond = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    width = np.mean(high - low)
    return np.mean((low <= truth) & (truth <= high)), width, width + 2 / (1 - level) * np.mean(beyond)


# ── who is measured: (columns, targets, columns to predict, level, seed) → (low, high), or (set, classes) ──


def ours(columns, y, rows, level, seed, classes):
    kind = TabularClassifier if classes else TabularRegressor
    model = kind(random_state=seed).fit(columns, y)
    around = model.predict(rows, interval=level)
    return model, ((around.set, model.classes_) if classes else (around.low, around.high))


def catboost(columns, y, rows, level, seed, classes):
    from catboost import CatBoostClassifier, CatBoostRegressor, Pool

    texts = [name for name, values in columns.items() if values.dtype == object]

    def pool(columns, y=None):
        import pandas

        frame = pandas.DataFrame({n: v.astype(str) if n in texts else v for n, v in columns.items()})
        return Pool(frame, y, cat_features=texts)

    options = {"random_seed": seed, "verbose": False, "allow_writing_files": False, "thread_count": 2}
    if classes:
        P = CatBoostClassifier(**options).fit(pool(columns, y))
        return None, (cumulated(P.predict_proba(pool(rows)), level), np.asarray(P.classes_).ravel())
    loss = f"MultiQuantile:alpha={(1 - level) / 2:g},{(1 + level) / 2:g}"
    ends = CatBoostRegressor(loss_function=loss, **options).fit(pool(columns, y)).predict(pool(rows))
    return None, (ends.min(axis=1), ends.max(axis=1))


def cumulated(P, level):
    """The most probable classes that are right with that probability, if the probabilities are: what they say."""
    order = np.argsort(-P, axis=1)
    before = np.cumsum(np.take_along_axis(P, order, axis=1), axis=1) - np.take_along_axis(P, order, axis=1)
    among = np.zeros(P.shape, bool)
    np.put_along_axis(among, order, before < level, axis=1)
    return among


def mapie(columns, y, rows, level, seed, classes):
    from mapie.classification import CrossConformalClassifier
    from mapie.regression import CrossConformalRegressor

    texts = [name for name, values in columns.items() if values.dtype == object]
    numbers = [name for name in columns if name not in texts]
    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1)

    def array(columns, fit=False):
        parts = [np.column_stack([columns[name] for name in numbers])] if numbers else []
        if texts:
            words = np.column_stack([columns[name].astype(str) for name in texts])
            parts.append(encoder.fit_transform(words) if fit else encoder.transform(words))
        return np.hstack(parts)

    X, tested = array(columns, fit=True), array(rows)
    if classes:
        labels, codes = np.unique(y, return_inverse=True)
        model = CrossConformalClassifier(
            HistGradientBoostingClassifier(random_state=seed), confidence_level=level, conformity_score="lac", cv=5
        )
        _, among = model.fit_conformalize(X, codes).predict_set(tested)
        return None, (among[:, :, 0], labels)
    model = CrossConformalRegressor(
        HistGradientBoostingRegressor(random_state=seed), confidence_level=level, method="plus", cv=5
    )
    _, ends = model.fit_conformalize(X, y).predict_interval(tested)
    return None, (ends[:, 0, 0], ends[:, 1, 0])


def measured(who, columns, y, classes, level, rows, seed):
    """(coverage, width or size, interval score or nan, familiarity below 0.05, of shuffled rows, CPU seconds)."""
    learned, held = train_test_split(
        np.arange(len(y)), test_size=0.2, random_state=seed, stratify=y if classes else None
    )
    learned, held = np.random.default_rng(seed).permutation(learned)[:rows], held[:JUDGED]
    table, tested = take(columns, learned), take(columns, held)
    began = time.process_time()
    model, answer = who(table, y[learned], tested, level, seed, classes)
    seconds = time.process_time() - began
    if classes:
        among, names = answer
        code = {name: place for place, name in enumerate(names)}
        right = [among[row, code[truth]] if truth in code else False for row, truth in enumerate(y[held])]
        found = np.mean(right), among.sum(axis=1).mean(), np.nan
    else:
        found = judged(*answer, y[held], level)
        found = found[0], found[1] / y[learned].std(), found[2] / y[learned].std()
    unlike = (np.nan, np.nan)
    if model is not None:
        rng = np.random.default_rng(seed)
        unlike = [np.mean(model.familiarity(each) < 0.05) for each in (tested, shuffled(tested, rng))]
    return (*found, *unlike, seconds)


def told(values):
    """A table's cells: coverage, width or size, score, familiarity, CPU seconds."""
    coverage, size, score, unlike, apart, seconds = values
    cells = [f"{100 * coverage:.1f} %", f"{size:.3g}", "–" if np.isnan(score) else f"{score:.3g}"]
    cells += ["–" if np.isnan(each) else f"{100 * each:.1f} %" for each in (unlike, apart)]
    return " | ".join([*cells, f"{seconds:.2g}"])


def main(given=None):
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--quick", action="store_true", help="one split, 500 rows")
    options.add_argument("--tables", type=Path, metavar="FOLDER", help="Parquet files and an index.json")
    options.add_argument("--only", metavar="NAMES", default="", help="of these tables: a,b")
    options.add_argument("--level", type=float, default=90, help="percent")
    options.add_argument("--splits", type=int, default=5)
    options.add_argument("--rows", type=int, default=2000, help="at most, to learn from")
    options.add_argument("--peers", action="store_true")
    asked = options.parse_args(given)
    splits, rows, level = (1, 500, asked.level / 100) if asked.quick else (asked.splits, asked.rows, asked.level / 100)
    warnings.filterwarnings("ignore")
    who = {"netwright": ours}
    if asked.peers:
        found = {"CatBoost": ("catboost", catboost), "MAPIE": ("mapie", mapie)}
        who |= {name: call for name, (package, call) in found.items() if importlib.util.find_spec(package)}
    print("| table | who | covered | width, or classes | interval score | unlike | shuffled | CPU s |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    collected = {}
    for name, columns, y, classes in of_folder(asked.tables) if asked.tables else bundled():
        if asked.only and name not in asked.only.split(","):
            continue
        for peer, call in who.items():
            runs = [measured(call, columns, y, classes, level, rows, seed) for seed in range(splits)]
            collected.setdefault((peer, classes), []).append(np.mean(runs, axis=0))
            print(f"| {name} | {peer} | {told(np.mean(runs, axis=0))} |", flush=True)
    for (peer, classes), each in collected.items():
        of, least = "classes" if classes else "numbers", 100 * np.min(each, axis=0)[0]
        print(f"| **{len(each)} of {of}**, least {least:.1f} % | {peer} | {told(np.mean(each, axis=0))} |")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
