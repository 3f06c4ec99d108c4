"""Any table as a Frame, the way the tabular estimators take it: what is odd in a column makes it text, not an error."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from sklearn.utils.validation import _num_samples

from netwright.core.arguments import Array
from netwright.tables.column import kind_of, spelling
from netwright.tables.convert import as_column
from netwright.tables.frame import Frame
from netwright.tables.text import NULLS, WHOLE, TextColumns

MISSING = frozenset(NULLS)
CODES = 30  # so many different whole numbers in a column of text are names of something


def columns_of(X: Any) -> tuple[dict[str, Any], bool]:
    """(the columns by name, whether the table named them itself): pandas, polars, Arrow, a mapping, a 2-D array."""
    if hasattr(X, "tocsr"):
        raise TypeError("Sparse data was passed for X, but dense data is required. Use '.toarray()' to make it dense.")
    if hasattr(X, "column_names"):  # Arrow, whose `columns` have no names
        return _unique([(str(name), X.column(j).to_pylist()) for j, name in enumerate(X.column_names)]), True
    if isinstance(X, Mapping):
        return _unique([(str(name), values) for name, values in X.items()]), True
    if hasattr(X, "columns"):
        names = list(X.columns)
        if all(isinstance(name, str) for name in names):
            return _unique([(name, X[name]) for name in names]), True
        return {f"x{j}": X.iloc[:, j] for j in range(len(names))}, False
    table = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=None if _numeric(X) else object)
    if table.dtype.kind == "c":
        raise ValueError("Complex data not supported: X has complex numbers")
    if table.ndim != 2:
        hint = (
            " Reshape your data: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row." if table.ndim else ""
        )
        raise ValueError(
            f"Expected 2D array (rows, columns), got {table.ndim} dimensions, of shape {table.shape}.{hint}"
        )
    return {f"x{j}": table[:, j] for j in range(table.shape[1])}, False


def frame_of(X: Any, kinds: Mapping[str, str], formats: Mapping[str, str], categories: Collection[str] = ()) -> Frame:
    """The Frame; its `date_formats` say how dates of text were read.

    kinds: "category" keeps a column's values as texts, "number" has them be numbers.
    formats: of dates, by column. categories: columns that were categories in training.
    """
    table, _ = columns_of(X)
    if not table:
        raise ValueError(f"0 feature(s) (shape=({_num_samples(X)}, 0)) while a minimum of 1 is required.")
    texts = TextColumns("", formats, {*categories, *(n for n, kind in kinds.items() if kind == "category")}, needed=())
    columns = {name: _column(name, values, texts) for name, values in table.items()}
    if len({len(values) for values in columns.values()}) > 1:
        raise ValueError(f"the columns have different lengths: { ({n: len(v) for n, v in columns.items()}) }")
    frame = Frame(columns, date_formats=texts.date_formats, notes=texts.notes)
    if not frame.n_rows:
        raise ValueError(f"Found array with 0 sample(s) (shape=(0, {len(columns)})) while a minimum of 1 is required.")
    return frame


def _column(name: str, values: Any, texts: TextColumns) -> Array:
    """One column: mixed values become texts; texts that are all numbers or dates become those, but few whole numbers,
    which somebody made texts of, are kept; durations become seconds."""
    plain = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values, dtype=None)
    named = str(getattr(values, "dtype", "")).lower().startswith("categor")  # pandas' and polars' own kind
    if plain.dtype.kind == "m":
        return np.where(np.isnat(plain), np.nan, plain / np.timedelta64(1, "s"))
    try:
        column = (
            np.array([_text(v) for v in plain], dtype=object)
            if named
            else as_column(name, plain, categorical=texts.categorical)
        )
    except ValueError as error:
        if plain.dtype != object or any(isinstance(value, dict | list | tuple | set) for value in plain):
            raise TypeError(f"argument must be a string or a number in every cell: {error}") from None
        column = np.array([_text(value) for value in plain], dtype=object)
    if column.dtype == object and kind_of(column) == "text":
        column = np.array([None if v is None or v.strip() in MISSING else v for v in column], dtype=object)
        known = {value for value in column if value is not None}
        codes = len(known) <= CODES and all(WHOLE.fullmatch(value) for value in known)
        if known and not codes and not named:
            column = texts.decide(name, column)
    return column


def _text(value: Any) -> str | None:
    gone = value is None or value != value or type(value).__name__ in ("NAType", "NaTType")
    return None if gone else spelling(value)


def _numeric(X: Any) -> bool:
    """Whether NumPy makes numbers of it by itself."""
    try:
        return np.asarray(X).dtype.kind in "biufc"
    except ValueError:
        return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(found := dict(pairs)) < len(pairs):
        twice = next(name for i, (name, _) in enumerate(pairs) if name in dict(pairs[:i]))
        raise ValueError(f"column {twice!r} is there more than once; give every column a name of its own")
    return found
