"""Any table as a Frame, the way the tabular estimators take it: what is odd in a column makes it text, not an error."""

from collections.abc import Collection, Mapping
from typing import Any

from sklearn.utils.validation import _num_samples

from netwright.tables.convert import OddCell
from netwright.tables.frame import Frame
from netwright.tables.memory import frame_of


def checked_frame(
    columns: Mapping[str, Any], X: Any, kinds: Mapping[str, str], formats: Mapping[str, str],
    categories: Collection[str] = (),
) -> Frame:  # fmt: skip
    """The Frame of the columns of X; its `date_formats` say how dates of text were read.

    kinds: "category" keeps a column's values as texts, "drop" lets them be anything. formats: of dates, by column.
    categories: columns that were categories in training. ValueError, or a TypeError for what no cell holds, in
    scikit-learn's words.
    """
    if not columns:
        raise ValueError(
            f"X has no columns: 0 feature(s) (shape=({_num_samples(X)}, 0)) while a minimum of 1 is required."
        )
    told = {name for name, kind in kinds.items() if kind == "category"}
    dropped = {name for name, kind in kinds.items() if kind == "drop"}
    try:
        frame = frame_of(columns, categorical={*categories, *told}, ignored=dropped, date_formats=formats, strict=False)
    except OddCell as error:
        raise TypeError(f"argument must be a string or a number in every cell: {error}") from None
    if not frame.n_rows:
        raise ValueError(f"Found array with 0 sample(s) (shape=(0, {len(columns)})) while a minimum of 1 is required.")
    return frame


def kinds_of(columns: Mapping[str, str], frame: Frame) -> dict[str, str]:
    """The user's decisions, by column; ValueError where a column told to hold numbers does not."""
    kinds = dict(columns)
    for name, kind in kinds.items():
        if kind == "number" and frame.kind(name) != "number":
            raise ValueError(f"columns: {name!r} is to be a number, but holds a {frame.kind(name)}")
    return kinds
