"""What is wrong with a training: the problem, its evidence, and the change that should mend it, instead of a warning.

`evidence.py` measures, `symptoms.py` finds; `CHANGES` has each problem's severity and its cure in code. A cause is more
severe than what follows from it (columns, targets, steps, units, time), since mending the one may mend the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from netwright.core.arguments import Array, brief, named_inputs, number, several, text, whole
from netwright.core.network import FeedForward, assign, check_network
from netwright.inspection.evidence import Evidence
from netwright.inspection.symptoms import CHECKS, columns, one_digit, rounded
from netwright.training.history import History


@dataclass(frozen=True)
class Finding:
    """A problem, the evidence for it, the change (code) that should mend it, and how severe it is, from 0 to 1."""

    problem: str
    evidence: str
    change: str
    severity: float

    def __str__(self) -> str:
        return f"{self.problem}.\n   Evidence: {self.evidence}.\n   Change: {self.change}"


class Diagnosis(list[Finding]):
    """The findings, the most severe first; printed, a short report. `seen` is how the training looks as a whole."""

    def __init__(self, findings: Sequence[Finding], seen: str):
        super().__init__(sorted(findings, key=lambda finding: -finding.severity))
        self.seen = seen

    def __repr__(self) -> str:
        if not self:
            return f"Nothing wrong found: {self.seen}."
        return "\n".join(f"{place}. {finding}" for place, finding in enumerate(self, 1))


class Change(NamedTuple):
    """How severe a problem is, and its cure: for `Network` and `train` (a column a sample), and for the estimators.

    Either names arguments, ... standing for the others, or makes X, Y, y or weight anew.
    """

    severity: float
    network: str
    estimator: str


FACES = ("network", "estimator")
MILD = 0.3  # the part of a column's severity that is left where the training went well all the same

SCALE = "{0} = ({0} - {0}.mean(axis=-1, keepdims=True)) / np.maximum({0}.std(axis=-1, keepdims=True), 1e-12)"
SPREAD_OUT = (
    "X = X - np.median(X, axis=1, keepdims=True); "
    "X = np.arcsinh(X / np.maximum(np.median(np.abs(X), axis=1, keepdims=True), 1e-12)); "
)
AUTO = '  # or {model}(..., solver="auto"), which scales by itself'
SAME = "same = np.unique(X, axis={axis}, return_inverse=True)[1]; "
CHANGES: dict[str, Change] = {
    "tails": Change(
        0.95,
        SPREAD_OUT + SCALE.format("X"),
        'make_pipeline(QuantileTransformer(output_distribution="normal"), {model}(...))',
    ),
    "constant": Change(0.92, "X = X[np.ptp(X, axis=1) > 0]", "make_pipeline(VarianceThreshold(), {model}(...))"),
    "scale": Change(0.9, SCALE.format("X"), "make_pipeline(StandardScaler(), {model}(...))" + AUTO),
    "reach": Change(0.88, "Network(..., {linked})", "{model}(..., output_activation=None)"),
    "target": Change(
        0.85, SCALE.format("Y"), "TransformedTargetRegressor({model}(...), transformer=StandardScaler())" + AUTO
    ),
    "target tails": Change(0.84, 'Network(..., loss="huber")', '{model}(..., loss="huber")'),
    "diverged": Change(
        0.8,
        "train(..., learning_rate={lower:g}, clip_norm=1.0)",
        "{model}(..., learning_rate_init={lower:g}, clip_norm=1.0)",
    ),
    "too high": Change(0.78, "train(..., learning_rate={lower:g})", "{model}(..., learning_rate_init={lower:g})"),
    "saturated": Change(0.76, 'Network(..., "relu", initializer="he_normal")', '{model}(..., activation="relu")'),
    "dead": Change(0.74, 'Network(..., "leaky_relu"){slower[0]}', '{model}(..., activation="leaky_relu"{slower[1]})'),
    "penalty": Change(0.7, "Network(..., {lighter})", "{model}(..., alpha={alpha:g})"),
    "too low": Change(0.65, "train(..., learning_rate={higher:g})", "{model}(..., learning_rate_init={higher:g})"),
    "tolerance": Change(
        0.62, "train(..., epochs={epochs}, tolerance=None)", "{model}(..., max_iter={epochs}, tol=0.0)"
    ),
    "epochs": Change(0.6, "train(..., epochs={epochs})", "{model}(..., max_iter={epochs})"),
    "rare": Change(0.5, "weight = {balance}", '{model}(..., class_weight="balanced")'),
    "too small": Change(
        0.45, 'Network({wider}, "relu", loss="{loss}")', '{model}(..., hidden_layer_sizes={units}, activation="relu")'
    ),
    "overfit": Change(
        0.4,
        "Network(..., l2={more_l2:g}, dropout=0.3)",
        "{model}(..., early_stopping=True, alpha={more_alpha:g}, dropout=0.3)",
    ),
    "contradiction": Change(
        0.35,
        SAME.format(axis=1)
        + "Y = np.array([(np.bincount(same, y) / np.bincount(same))[same] for y in np.atleast_2d(Y)])",
        SAME.format(axis=0) + "y = pd.Series(y).groupby(same).transform({middle})",
    ),
    "leak": Change(0.25, "X = np.delete(X, {columns}, axis=0)", "X = np.delete(X, {columns}, axis=1)"),
    "no answer": Change(0.2, "X = np.vstack([X, more_columns])", "X = np.hstack([X, more_columns])"),
}


def diagnose(
    network: FeedForward,
    X: Array,
    Y: Array,
    *,
    history: History | None = None,
    weight: Array | None = None,
    initial_learning_rate: float | None = None,
    batch_size: int | None = None,
    alpha: float | None = None,
    max_epochs: int | None = None,
    tolerance: float | None = None,
    names: Sequence[str] | None = None,
    target_names: Sequence[Any] | None = None,
    start: Array | None = None,
    face: str = "network",
) -> Diagnosis:
    """What is wrong with the training that made `network` from X, (inputs, samples), and Y, (outputs, samples).

    X, Y and `weight` are those of the training, or a part; up to 1,000 samples are looked at, in even steps.
    history: what `train` returned (after a FloatingPointError, what it had so far); without it nothing is said of rates
        and epochs.
    initial_learning_rate, max_epochs: by default the history's first rate and its length.
    tolerance: the training's.
    batch_size, alpha: where `network.l2` is 0, the penalty is alpha / batch_size.
    names, target_names: of the columns, and of the classes or outputs.
    start: theta before the training, to say how far it went.
    face: the changes are for "network" (`Network` and `train`) or "estimator".

    Changes nothing and takes some ms. ValueError names what does not fit the network.
    """
    if text("face", face) not in FACES:
        raise ValueError(f"face must be one of {', '.join(FACES)}, got {face!r}")
    X, Y, weight = check_network(network).check(X, Y, weight)
    if np.isnan(Y).any(axis=0).all():
        raise ValueError("no sample has all of its targets: give diagnose some that do")
    if start is not None:
        assign("start", np.empty_like(network.theta), start)
    history = History() if history is None else history  # one without epochs may tell why it has none
    if not isinstance(history, History):
        raise ValueError(f"history must be what train returned, a History, got {brief(history)}")
    if batch_size is not None:
        whole("batch_size", batch_size)
    if max_epochs is not None:
        whole("max_epochs", max_epochs)
    rates = {"initial_learning_rate": initial_learning_rate, "alpha": alpha, "tolerance": tolerance}
    for name, rate in rates.items():
        if rate is not None:
            number(name, rate, 0)
    names = None if names is None else named_inputs("names", names, network.inputs)
    target_names = [] if target_names is None else several("target_names", target_names, "names of classes or outputs")
    with np.errstate(all="ignore"):  # a network that diverged overflows
        size = min(batch_size or 200, X.shape[1])
        l2, l1 = network.penalties(size)
        first = next(iter(history.learning_rate), initial_learning_rate or 0.0)
        seen = Evidence(
            network,
            X,
            Y,
            weight,
            history,
            rate=first and (initial_learning_rate or first),  # L-BFGS has none, whatever it was given
            epochs=max_epochs or len(history),
            tolerance=tolerance or 0.0,
            l2=l2 or (alpha or 0.0) / size,
            l1=l1,
            start=start,
            names=names or [],
            labels=target_names,
        )
        words = _words(seen, size)
        findings: list[Finding] = []
        for check in CHECKS:
            for key, problem, evidence, *own in check(seen, bool(findings)):
                severity, *change = CHANGES[key]
                mild = check is columns and not seen.harmed
                code = change[FACES.index(face)].format(**words, **dict(*own))
                findings.append(Finding(problem, evidence, code, severity * (MILD if mild else 1)))
        return Diagnosis(findings, _as_a_whole(seen))


def _words(seen: Evidence, size: int) -> dict[str, Any]:
    """What the changes speak of."""
    network = seen.network
    *before, _ = network.dense
    hidden = [layer.neurons for layer in before]
    units = [max(32, 4 * hidden[0]) if hidden else 32, *hidden[1:]]
    less = {name: one_digit(min(value / 100, 1e-4)) for name, value in (("l2", seen.l2), ("l1", seen.l1)) if value}
    more = one_digit(max(seen.l2 * 10, 0.003))
    share = size if network.penalty_per_batch else 1
    lower = one_digit(seen.rate / 10)
    slower = (f"; train(..., learning_rate={lower:g})", f", learning_rate_init={lower:g}") if lower else ("", "")
    even = "(Y / np.maximum(Y.mean(axis=1, keepdims=True), 1e-12)).sum(axis=0)"
    if seen.link == "sigmoid":  # each output is a yes or no of its own
        yes = "Y.mean(axis=-1, keepdims=True)"
        even = f"np.atleast_2d(np.where(Y > 0.5, 1 / {yes}, 1 / (1 - {yes}))).sum(axis=0)"
    return {
        "model": "MLPClassifier" if seen.classes else "MLPRegressor",
        "linked": [*(layer.activation.name for layer in before), network.loss.link],
        "loss": network.loss.name,
        "lower": lower or 1e-4,  # where the rate is not known
        "slower": slower,
        "lighter": ", ".join(f"{name}={one_digit(value * share):g}" for name, value in less.items()),
        "alpha": one_digit(less.get("l2", 0.0) * size),
        "more_l2": one_digit(more * share),
        "more_alpha": one_digit(more * size),
        "wider": [network.inputs, *units, network.outputs],
        "units": tuple(units),
        "middle": "lambda some: some.mode()[0]" if seen.classes else '"mean"',
        "balance": even,
    }


def _as_a_whole(seen: Evidence) -> str:
    epochs = len(seen.history)
    parts = [f"the cost is {rounded(seen.cost)}, where knowing nothing of X costs {rounded(seen.base)}"]
    if epochs:
        parts.append(f"after {epochs} epochs it {'falls slowly' if seen.fall else 'no longer falls'}")
    parts.append(f"the columns' spreads are {rounded(seen.spread.min())} to {rounded(seen.spread.max())}")
    if seen.units:
        parts.append(f"at most {max(dead for *_, dead in seen.units):.0%} of a layer's units are dead")
    return "; ".join(parts)
