"""A trained model: networks together with the encoders that turn a table's rows into their inputs and back.

`train_table` makes one, `netwright train` writes it to a file, `netwright.load` brings it back.
"""

import os
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from netwright.core import arguments
from netwright.core.activations import Activation
from netwright.core.arguments import Array, visible, whole
from netwright.core.losses import Loss
from netwright.core.scores import mae, r2, rmse
from netwright.export import Exportable
from netwright.files.networks import NETWORK, rebuild
from netwright.files.schema import FileKind, Shape, check, fraction, natural, plain, real
from netwright.network import Network, margins_from
from netwright.recipes.mixture import MIXTURE, Mixture
from netwright.tables.column import spelling
from netwright.tables.features import ENCODER, TableEncoder, Unseen, unseen_notes
from netwright.tables.frame import Frame
from netwright.tables.labels import probabilities
from netwright.tables.read import check_reading
from netwright.tables.target import TARGET, TargetEncoder, with_target
from netwright.tables.text import in_marks
from netwright.tabular.predictions import as_table, surrounded
from netwright.tabular.reading import as_frame, weights_in
from netwright.tabular.scoring import class_scores
from netwright.training.history import HISTORY, History
from netwright.uncertainty.familiarity import FAMILIARITY, Familiarity, checked_familiarity
from netwright.uncertainty.margins import MARGIN, checked

if TYPE_CHECKING:
    from netwright.export.program import Program

# What was asked and chosen, as far as a model cannot do without it: of any kind; of one network besides.
SETTINGS: dict[str, Shape] = {
    "seed": natural, "weights": (None, str), "drop": [str], "rows": natural, "held_out": natural, "...": plain,
}  # fmt: skip
OPTIMIZER: Shape = {"name": str, "learning_rate?": real, "...": plain}
ONE = SETTINGS | {"hidden": [whole], "optimizer": OPTIMIZER, "batch_size": (None, whole), "dropout": fraction}
WHOLE: dict[str, Shape] = {
    "encoder": ENCODER,
    "target": TARGET,
    "history": HISTORY,
    "scores": {"...": real},
    "notes": [str],
    "reading": check_reading,
    "familiarity?": FAMILIARITY,
}


def _header(where: str, said: Any) -> None:
    mixed = isinstance(said, dict) and "mixture" in said
    learned: Shape = (
        {"mixture": MIXTURE, "settings": SETTINGS}
        if mixed
        else {"network": NETWORK, "settings": ONE, "margins?": [MARGIN]}
    )
    check(learned | WHOLE, said, where)


KIND = FileKind("table", _header)


@dataclass(eq=False)
class TableModel(Exportable):
    """A network, or a mixture of them, and the encoders of its inputs and its target.

    `scores` are those of the rows held out in training, which the networks have not seen.

    `settings` says how it was trained, `notes` what was decided about the table, `known` what rows it is familiar with;
    `held_out` is the part of the table that was not learned from, and is not kept in the file.
    """

    network: Network | Mixture
    encoder: TableEncoder
    target: TargetEncoder
    settings: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    reading: dict[str, Any] = field(default_factory=dict)
    history: History = field(default_factory=History)
    scores: dict[str, float] = field(default_factory=dict)
    held_out: Frame | None = None
    known: Familiarity | None = None

    # ── predictions ──────────────────────────────────────────────────────────────────────────────────────────────────

    def predict(self, table: Any, interval: float | None = None) -> Any:
        """A class or a value for each row, (n_rows,), in the rows' order. ValueError says which column is amiss.

        A category that training did not have, or a new column, is a warning.

        interval: how probable it is to be that the truth lies within what is then told as well, such as 0.9. Of numbers
        that is an `Interval` (value, low, high), each (n_rows,); of classes a `LabelSet` (label, (n_rows,); set,
        (n_rows, n_classes), which classes are in it). ValueError where nothing or too few rows say how sure it is.
        """
        if interval is None:
            A, told = self.outputs_of(self.read(table))
            _tell(told)
            return self.decode(A)
        checked(self.network.margins, interval)
        X, told = self.features_of(self.read(table))
        _tell(told)
        return surrounded(self.target, self.network.margins, X, self.network.predict(X), interval)

    def predict_proba(self, table: Any) -> Array:
        """Each class's probability, (n_rows, n_classes), in the order of `target.classes`."""
        A, told = self.outputs_of(self.read(table))
        _tell(told)
        return self.probabilities(A)

    def predictions(
        self, table: Any, *, keep: Collection[str] | Frame = (), interval: float | None = None,
        familiarity: bool = False, cased: bool = True, notes: list[str] | None = None,
    ) -> Frame:  # fmt: skip
        """A table of predictions: the columns `keep` of the table, then one named as the target with the class or value
        predicted, then of classes one for each, `probability CLASS`.

        keep: names of columns, or a Frame of as many rows, whose columns are kept as they are.
        interval: as in `predict`; after the prediction come `TARGET low` and `TARGET high`, or `TARGET set` with the
            classes that are in it, the most probable first, a | between them.
        familiarity: a last column, `familiarity`, says how familiar each row is, as the method of that name.
        cased: A and a are two names.

        Where such a name is taken it is another; a sentence in `notes` or a warning says so. ValueError for a column
        that is not there, and for a Frame of other rows.
        """
        if interval is not None:
            checked(self.network.margins, interval)
        if familiarity:
            checked_familiarity(self.known)
        frame = self.read(table)
        if isinstance(keep, Frame):
            kept = keep
            if kept.names and kept.n_rows != frame.n_rows:
                raise ValueError(f"keep has {kept.n_rows} rows, and the table {frame.n_rows}")
        else:
            for name in keep:
                frame.column(name)
            kept = frame.drop(set(frame.names) - set(keep))
        # What is kept needs no note that it is not used: that is what was asked for.
        unused = set(kept.names) & set(frame.names) - set(self.encoder.names())
        X, told = self.features_of(frame.drop(unused))
        A = self.network.predict(X)
        P = None if self.target.task == "regression" else self.probabilities(A)
        around = None if interval is None else surrounded(self.target, self.network.margins, X, A, interval)
        p_values = checked_familiarity(self.known).of(X) if familiarity else None
        made, renamed = as_table(self.target, self.decode(A), P, kept, around, p_values, cased=cased)
        _tell([*told, *renamed], notes)
        return made

    def familiarity(self, table: Any) -> Array:
        """How like those learned from each row is, (n_rows,): a p-value, small for one that is out of place.

        Of rows like them 0.05 or less comes to 5 in 100. ValueError for a file from before that was told.
        """
        known = checked_familiarity(self.known)
        X, told = self.features_of(self.read(table))
        _tell(told)
        return known.of(X)

    def evaluate(
        self, table: Any, *, notes: list[str] | None = None, drop_missing_target: bool = False
    ) -> dict[str, float]:
        """Scores on a table that has the target; weighted, if the model was and the table has the column of weights.

        Rows in which the target is missing are an error, or with `drop_missing_target` left out. Sentences on these, on
        unseen categories and on new columns go to `notes`, or else are warnings.

        Classification: accuracy, balanced_accuracy (the mean over the classes of the share found), log_loss.
        Regression: rmse and mae, in the target's units, and r2.
        """
        frame, left_out = with_target(self.read(table, with_target=True), self.target.name, drop_missing_target)
        scores, told = self.scores_of(frame)
        _tell([*left_out, *told], notes)
        return scores

    def scores_of(self, frame: Frame) -> tuple[dict[str, float], list[str]]:
        """`evaluate`, of a table that has been read and has all targets; and what there is to tell of it."""
        A, told = self.outputs_of(frame)
        return self.scores_with(A, frame), told

    def scores_with(self, A: Array, frame: Frame) -> dict[str, float]:
        """`evaluate`, of outputs A for the rows of the frame, (outputs, n_rows)."""
        truth, name = frame[self.target.name], self.settings["weights"]
        weight = weights_in(frame, name) if name in frame.columns else None
        if self.target.task == "regression":
            # In standardised units first, where no square of a large number overflows.
            Y, std = self.target.encode(truth, frame.place), self.target.std
            scores = {"rmse": std * rmse(Y, A, weight), "mae": std * mae(Y, A, weight), "r2": r2(Y, A, weight)}
        else:
            scores = class_scores(self.target.codes(truth, frame.place), self.probabilities(A), weight)
        return {score: float(value) for score, value in scores.items()}

    def outputs(self, table: Any, *, notes: list[str] | None = None) -> Array:
        """The network's A, (outputs, n_rows). Sentences as those of `evaluate` go to `notes`, or else are warnings."""
        A, told = self.outputs_of(self.read(table))
        _tell(told, notes)
        return A

    def outputs_of(self, frame: Frame) -> tuple[Array, list[str]]:
        """`outputs`, of a table that has been read; and what there is to tell of it. ValueError for one of no rows."""
        X, told = self.features_of(frame)
        return self.network.predict(X), told

    def features_of(self, frame: Frame) -> tuple[Array, list[str]]:
        """What the network takes, (features, n_rows), of a table that was read; and what there is to tell of it."""
        if not frame.n_rows:
            raise ValueError(f"{frame.path or 'the table'} has no rows")
        unseen = Unseen()
        own = {self.target.name, self.settings["weights"], *self.settings["drop"]}
        told = self.encoder.check(frame.drop(own & set(frame.names)))
        return self.encoder.transform(frame, unseen), told + unseen_notes(unseen)

    def decode(self, A: Array) -> Array:
        """The network's outputs as classes or values, (n_rows,)."""
        return self.target.decode(A)

    def probabilities(self, A: Array) -> Array:
        """The network's outputs as probabilities, (n_rows, n_classes). ValueError for a regression."""
        if self.target.task == "regression":
            raise ValueError(f"{self.target.name!r} is a number: a regression has no probabilities of classes")
        return probabilities(A)

    def read(self, table: Any, *, with_target: bool = False) -> Frame:
        """A table as a Frame. Of a file only the columns in use must be in order, and categories are read as such."""
        categories, needed = self.encoder.categories, self.encoder.names()
        if with_target:
            needed.append(self.target.name)
            if self.target.classes and isinstance(self.target.classes[0], str):
                categories.append(self.target.name)
        numbers = [*self.encoder.numbers, *[self.target.name] * (self.target.task == "regression")]
        reading = self.reading
        if isinstance(table, str | os.PathLike):
            reading = reading | {"units": dict.fromkeys(numbers, "") | reading.get("units", {})}
        frame = as_frame(table, categorical=categories, needed=needed, target=self.target.name, **reading)
        for name in set(numbers) & frame.columns.keys():
            frame.columns[name] = in_marks(frame, name, reading.get("decimal", "."), reading.get("thousands"))
        return frame

    # ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def save(self, path: Any) -> None:
        """Write networks and encoders to one safetensors file, atomically; `netwright.load(path)` brings them back."""
        name, said, tensors = self._networks()
        known, more = (None, {}) if self.known is None else self.known.to_json()
        header: dict[str, Any] = {
            name: said,
            "encoder": self.encoder.to_json(),
            "target": self.target.to_json(),
            "history": self._history(),
            "settings": self.settings,
            "scores": self.scores,
            "notes": self.notes,
            "reading": {"strip": True} | self.reading,
        }
        header |= {} if known is None else {"familiarity": known}
        if isinstance(self.network, Network) and self.network.margins:
            header["margins"] = [margin.to_json() for margin in self.network.margins]
        KIND.write(arguments.path("path", path), tensors | more, header)

    def _networks(self) -> tuple[str, dict[str, Any], dict[str, Array]]:
        """How a file keeps what predicts: under which name, what JSON can say of it, and its tensors."""
        if isinstance(self.network, Mixture):
            return "mixture", *self.network.to_json()
        return "network", self.network.settings(), {"theta": self.network.theta}

    def _history(self) -> dict[str, Any]:
        """As a file keeps it: of a mixture without the clock, so that the same training makes the same file."""
        return self.history.to_dict() | ({"seconds": []} if isinstance(self.network, Mixture) else {})

    @property
    def nbytes(self) -> int:
        """What the networks' numbers take in a file."""
        return sum(tensor.nbytes for tensor in self._networks()[-1].values())

    @classmethod
    def from_header(
        cls,
        header: Mapping[str, Any],
        tensors: Mapping[str, Array],
        activations: dict[str, Activation],
        losses: dict[str, Loss],
    ) -> "TableModel":
        """The model that `save` described, of `KIND`'s shape; ValueError when its parts do not fit together."""
        network: Network | Mixture
        if "mixture" in header:
            network = Mixture.from_json(header["mixture"], tensors)
        else:
            network = rebuild(Network, header["network"], tensors["theta"], activations, losses)
            if "margins" in header:
                network.margins = margins_from(header["margins"], network)
        model = cls(
            network=network,
            encoder=TableEncoder.from_json(header["encoder"]),
            target=TargetEncoder.from_json(header["target"]),
            history=History(**header["history"]),
            **{name: header[name] for name in ("settings", "scores", "notes", "reading")},
        )
        if model.reading.pop("strip", False) is not True:  # older files kept the spaces around a cell, in levels too
            model.reading["strip"] = False
        if (known := header.get("familiarity")) is not None:
            model.known = Familiarity.from_json(known, tensors, network.inputs)
        classes = len(model.target.classes)
        outputs = (1, 2) if classes == 2 else (max(1, classes),)
        if network.inputs != len(model.encoder.feature_names) or network.outputs not in outputs:
            raise ValueError("the model's network and encoders do not fit together")
        return model

    def program(self) -> "Program":
        """What `export` writes: the computation, from the columns to the prediction."""
        from netwright.export.program import Program, Target, columns_of, frame_of, networks_of

        target, columns = self.target, columns_of(self.encoder)

        def answers(table: Any) -> tuple[Array, Array | None]:
            A = self.network.predict(self.encoder.transform(frame_of(columns, table)))
            if target.task == "regression":
                return self.decode(A)[:, None], None
            return self.probabilities(A), target.codes(self.decode(A))[:, None]

        return Program(
            inputs=self.network.inputs,
            columns=columns,
            targets=(Target(target.name, 0, self.network.outputs, tuple(target.classes), target.mean, target.std),),
            answers=answers,
            title=repr(self),
            **networks_of(self.network),
        )

    # ── how it shows itself ──────────────────────────────────────────────────────────────────────────────────────────

    def summary(self) -> str:
        """The target, the network, what becomes of each column, how it was trained and how well it does."""
        rows = [("column", "kind", "what is done")]
        rows += [(visible(name), kind, visible(done)) for name, kind, done, _ in self.encoder.describe()]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        lines.insert(1, "─" * max(map(len, lines)))
        scores = [f"held-out {score}: {value:.6g}" for score, value in self.scores.items()]
        return "\n".join(
            [f"predicts {self.goal()}", "", *lines, "", self.network.summary(), "", self.training(), *scores]
        )

    def goal(self) -> str:
        """`'species', one of 3 classes (Adelie, Chinstrap, Gentoo)`."""
        if self.target.task == "regression":
            return f"{self.target.name!r}, a number"
        classes = [visible(spelling(each)) for each in self.target.classes]
        shown = ", ".join(classes[:8]) + (", …" if len(classes) > 8 else "")
        return f"{self.target.name!r}, one of {len(classes)} classes ({shown})"

    def training(self) -> str:
        """One line on how it was trained."""
        kept, history = self.settings, self.history
        parts = [f"{kept['rows']:,} rows learned from, {kept['held_out']:,} held out"]
        if isinstance(self.network, Mixture):
            return f"{', '.join(parts)}, seed {kept['seed']}\n{len(history)} epochs a network; {history.stopped}"
        rate = kept["optimizer"].get("learning_rate")
        parts += [kept["optimizer"]["name"], *([] if rate is None else [f"learning rate {rate:g}"])]
        parts += [f"batches of {kept['batch_size']}"] * (kept["batch_size"] is not None)
        parts += [f"dropout {kept['dropout']:g}"] * bool(kept["dropout"])
        parts += [f"seed {kept['seed']}"]
        done = f"{len(history)} epochs" + (f", the best was {history.best_epoch}" if history.best_epoch else "")
        lines = [f"{', '.join(parts)}", f"{done}; {history.stopped}", *history.effective(self.network.theta.size)]
        return "\n".join(lines)

    def __repr__(self) -> str:
        scores = "".join(f", {score} {value:.4g}" for score, value in self.scores.items())
        return f"TableModel({self.target.name!r}, {self.target.task}, {self.shape()}{scores})"

    def shape(self) -> str:
        """`15-64-32-3`; of a mixture, `8 × 15-128-128-3 + 4 × 15-3`."""
        if isinstance(self.network, Mixture):
            return self.network.shape()
        return "-".join(map(str, [self.network.inputs, *self.settings["hidden"], self.network.outputs]))


def _tell(sentences: list[str], notes: list[str] | None = None) -> None:
    """The sentences to `notes`, or else as warnings at the line that called the method which tells them."""
    if notes is not None:
        notes += sentences
        return
    for sentence in sentences:
        warnings.warn(sentence, stacklevel=3)
