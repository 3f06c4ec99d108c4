"""How sure MLPClassifier and MLPRegressor are: intervals around numbers, sets of classes.

They are told by rows that were not learned from: those that `fit` held out to validate on, or those of `calibrate`.
"""

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from netwright.core.losses import LOSSES, both_classes
from netwright.core.samples import Samples
from netwright.estimators.fitting import Member
from netwright.estimators.undo import whole_or_nothing
from netwright.estimators.validation import check_weight, check_X, check_X_y, in_dtype
from netwright.uncertainty.margins import (
    Interval,
    LabelSet,
    Margin,
    checked,
    half_widths,
    label_sets,
    margin_of_classes,
    margins_of,
)

CALIBRATE = "fit with early_stopping=True or X_val and y_val, or give calibrate(X, y) rows that were not learned from"


class Sure:
    """What the two have to say on how sure they are."""

    _members: list[Member]
    _margins: list[Margin]
    _levels: list[float]
    _encode: Any
    _each_of: Any
    _shaped: Any

    def calibrate(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Have `predict(X, interval=0.9)` tell by these rows, which were not learned from, how sure it is.

        X (samples, features), y as for `fit`, sample_weight (samples,) or None. Where there are some dozens of rows or
        more, intervals are narrow where predictions were near. `fit` itself does so, as wide everywhere, by the rows
        that it holds out for early stopping, which chose the epoch, or by X_val; it forgets what was calibrated before.
        ValueError for quantiles, and for several targets of classes, which have neither.
        """
        check_is_fitted(self, "loss_")
        self._check_one_target()
        with whole_or_nothing(self):
            X, y = check_X_y(self, X, y, reset=False)
            dtype = self._members[0].network.dtype
            samples = Samples(in_dtype(X, dtype).T, self._encode(y, dtype), check_weight(sample_weight, X))
            self._margins = self._margins_by(samples, by_row=True)
        return self

    def _calibrate_by(self, held_out: Samples | None) -> None:
        """Do so after a fit, by what it held out, if anything."""
        self.__dict__.pop("_margins", None)
        if held_out is not None and self._has_one_target():
            self._margins = self._margins_by(held_out, by_row=False)

    def _margins_by(self, samples: Samples, *, by_row: bool) -> list[Margin]:
        X, Y, weight = samples.arrays
        A = np.mean(self._each_of(X), axis=0)
        labels = getattr(self, "_labels", None)
        if labels is None:
            return margins_of(LOSSES["masked_squared_error"], X if by_row else None, A, Y, weight)
        codes = both_classes(Y).argmax(axis=0)
        return [margin_of_classes(labels.probabilities(A), codes, weight)]

    def _surrounded(self, X: Any, interval: Any) -> Interval | LabelSet:
        """The predictions with what is around them, `(samples,)` or `(samples, outputs)` each."""
        check_is_fitted(self, "loss_")
        self._check_one_target()
        margins = vars(self).get("_margins", [])
        if not margins:
            raise ValueError(f"nothing says how sure this model is: {CALIBRATE}")
        checked(margins, interval)
        X = in_dtype(check_X(self, X), self._members[0].network.dtype).T
        A = np.mean(self._each_of(X), axis=0)
        if (labels := getattr(self, "_labels", None)) is not None:
            return LabelSet(labels.decode(A), label_sets(margins, labels.probabilities(A), interval))
        off = half_widths(margins, X, A, interval)
        value, low, high = (self._shaped(each) for each in (A, A - off, A + off))
        return Interval(value, low, high)

    def _has_one_target(self) -> bool:
        """Whether there is one target of classes; of numbers, whether outputs are no quantiles."""
        labels = getattr(self, "_labels", None)
        return labels.kind in ("binary", "multiclass") if labels is not None else not self._levels

    def _check_one_target(self) -> None:
        if self._has_one_target():
            return
        if hasattr(self, "_labels"):
            raise ValueError("sets of classes are for one target of classes, and y has several; fit a model for each")
        raise ValueError("this model predicts quantiles, which are intervals already")
