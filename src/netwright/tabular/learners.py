"""A table made ready to learn from, and the two that learn: one network as somebody asks for it, or the mixture.

A learner begins with what can be known before training (encoder, untrained network, settings) and makes the table into
what networks learn from; then it learns, and the table need not be there any more.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.core.losses import Loss, both_classes
from netwright.network import Network
from netwright.recipes.checkpoint import KIND, MixtureCheckpoint
from netwright.recipes.mixture import Mixture
from netwright.recipes.problem import DROPOUT, HIDDEN, PARTS
from netwright.recipes.recipe import REFITS, Interrupted, encode, mixture_of, samples_of, untrained
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.tables.target import TargetEncoder
from netwright.tabular.single import OneNetwork
from netwright.training.history import History
from netwright.uncertainty.familiarity import Familiarity, learn_familiarity

Begun = tuple[TableEncoder, Any, dict[str, Any]]  # encoder, untrained network, settings for the model's file
Learned = tuple[Network | Mixture, History, Familiarity | None]  # the last: what rows it is familiar with


@dataclass(frozen=True)
class Problem:
    """A table, its target, and which of its rows are learned from.

    inputs: the columns to learn from, of all rows. kept: those of them that are of use, of the rows learned from.
    useless: (name, why) of the others. kinds: what is asked of a column, "category" or "keep", whatever it looks like.
    """

    inputs: Frame
    kept: Frame
    useless: list[tuple[str, str]]
    kinds: dict[str, str]
    goal: TargetEncoder
    loss: Loss
    Y: Array
    weight: Array | None
    rows: Array
    held: Array

    @classmethod
    def of(
        cls,
        frame: Frame,
        names: Collection[str],
        kinds: Mapping[str, str],
        weight: Array | None,
        goal: TargetEncoder,
        loss: Loss,
        *,
        rows: Array,
        held: Array,
    ) -> "Problem":
        """Encoders are fitted to the rows learned from; ValueError when nothing is of use."""
        part = None if weight is None else weight[rows]
        if goal.task == "regression":
            learned = frame.take(rows)
            fitted = TargetEncoder.fit(
                learned[goal.name], goal.name, task="regression", weight=part,
                standardise=loss.link == "identity", place=learned.place,
            )  # fmt: skip
            goal = replace(fitted, reason=goal.reason)
        Y = _targets(goal, loss, frame)
        # What numbers or names the rows shows in all of them; means and categories come from those learned from.
        inputs = frame.drop(set(frame.names) - set(names))
        kinds = {name: kind for name, kind in kinds.items() if name in names}  # it may also name the target
        useless = TableEncoder.fit(inputs, kinds=kinds, weight=weight).dropped
        kept = inputs.drop([name for name, _ in useless]).take(rows)
        kinds = {name: kind for name, kind in kinds.items() if name in kept.columns}
        problem = cls(inputs, kept, useless, kinds, goal, loss, Y, weight, rows, held)
        problem.encoder  # noqa: B018  says that nothing is of use
        return problem

    @cached_property
    def encoder(self) -> TableEncoder:
        """Of the columns kept, as one network hears them."""
        return TableEncoder.fit(self.kept, kinds=self.kinds, weight=self.part)

    @property
    def part(self) -> Array | None:
        """The weights of the rows learned from."""
        return None if self.weight is None else self.weight[self.rows]


@dataclass
class SingleLearner:
    """One network. `options` are `Network.train`'s beside those of `one`."""

    one: OneNetwork
    rng: np.random.Generator
    options: dict[str, Any]

    def begin(self, problem: Problem) -> Begun:
        encoder, rows = problem.encoder, problem.rows
        self.network = self.one.make(
            len(encoder.feature_names), problem.Y[:, rows], problem.part, problem.loss, self.rng
        )
        budget = self.one.budget(len(rows), len(problem.held))
        X, Y, weight, held = encoder.transform(problem.inputs), problem.Y, problem.weight, problem.held
        held_out = (X[:, held], Y[:, held], None if weight is None else weight[held]) if len(held) else None
        self.options |= {**self.one.training, **budget} | {"weight": problem.part, "validation": held_out}
        self.learned = X[:, rows], Y[:, rows]
        return encoder, self.network, self.one.settings(self.network, budget)

    def learn(self) -> Learned:
        known = learn_familiarity(self.learned[0], self.options["weight"])
        history = self.network.train(*self.learned, **self.options)
        if not len(history) and history.stopped.startswith("interrupted"):
            raise KeyboardInterrupt  # nothing has been learnt
        if (held_out := self.options["validation"]) is not None:
            try:
                self.network.calibrate(*held_out)
            except KeyboardInterrupt:  # `train` has calibrated it, as sure everywhere
                history.stopped += ", interrupted before it was known where it errs"
        return self.network, history, known


@dataclass
class MixtureLearner:
    """The recipe's mixture of networks. `options` are its problem's. Ctrl-C mixes what is done."""

    options: dict[str, Any]
    kept: MixtureCheckpoint

    def begin(self, problem: Problem) -> Begun:
        encoder = encode(problem.kept, problem.Y[:, problem.rows], problem.part, kinds=problem.kinds)
        encoder.transform(problem.inputs.take(problem.held))  # what is wrong with a row held out is said now
        network, Y = untrained(encoder, len(problem.Y), problem.loss.name), problem.Y[:, problem.rows]
        self.options |= {"loss": problem.loss.name, "kept": self.kept}
        self.encoder, self.samples = encoder, samples_of(encoder, problem.kept, Y, problem.part, self.options["seed"])
        return encoder, network, {"networks": PARTS + REFITS, "hidden": list(HIDDEN), "dropout": DROPOUT}

    def learn(self) -> Learned:
        known = learn_familiarity(self.samples.X, self.samples.weight)
        try:
            return *mixture_of(self.encoder, self.samples, **self.options), known
        except Interrupted as interrupted:
            mixture, history = interrupted.args
            return mixture, history, known


def how_far(header: Any) -> list[str]:
    """What a checkpoint of a mixture says, in lines: what is done, what is under way, and the settings."""
    KIND.check(header)
    settings, done = header["settings"], header["done"]
    goal = f" of {settings['target']!r}" if "target" in settings else ""
    counts = " and ".join(f"{sum(name.startswith(kind) for name in done)} {kind}s" for kind in ("scout", "network"))
    lines = [f"a checkpoint of a mixture{goal} after {header['seconds']:.1f} s: {counts} done"]
    lines += [f"  {name} is under way" for name in header["under_way"]]
    return lines + [f"  {name}: {value}" for name, value in settings.items()]


def _targets(goal: TargetEncoder, loss: Loss, frame: Frame) -> Array:
    """Y, (outputs, n_rows), as the loss wants it: cross_entropy has an output for each of two classes too."""
    Y = goal.encode(frame[goal.name], frame.place)
    return both_classes(Y) if loss.targets == "distribution" else Y
