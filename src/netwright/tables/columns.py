"""The columns of a table that is in memory, in whatever dress: pandas, polars, Arrow, a mapping, rows, an array."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from netwright.core.arguments import Array, brief
from netwright.tables.column import EXACT

LATER = {  # what those offer who have no rows yet
    "fetchnumpy": "df()", "compute": "compute()", "toPandas": "toPandas()", "execute": "execute()",
    "read_all": "read_all()", "to_table": "to_table()", "collect": "collect()",
}  # fmt: skip


def columns_of(table: Any) -> tuple[dict[str, Any], bool]:
    """(the columns by name, whether the table named them itself).

    ValueError for a name that is there twice, for another number of dimensions than two, and for a table whose rows are
    not read yet; TypeError for a sparse matrix.
    """
    table = collected("X", table)
    if hasattr(table, "tocsr"):
        raise TypeError("Sparse data was passed for X, but dense data is required. Use '.toarray()' to make it dense.")
    if isinstance(table, list | tuple) and table and all(isinstance(row, Mapping) for row in table):
        table = {
            name: [row.get(name) for row in table] for name in dict.fromkeys(name for row in table for name in row)
        }
    if isinstance(table, Mapping):
        return _unique([str(name) for name in table], list(table.values())), True
    if hasattr(table, "column_names") and hasattr(table, "column"):  # Arrow, whose `columns` have no names
        names = [str(name) for name in table.column_names]
        return _unique(names, [table.column(place) for place in range(len(names))]), True
    if hasattr(table, "columns"):
        named = all(isinstance(name, str) for name in table.columns)
        names = [str(name) for name in table.columns]
        _unique(names, names)
        columns = [table[name] for name in table.columns]
        return dict(zip(names if named else _numbered(len(names)), columns, strict=True)), named
    array = _array(table)
    if array.dtype.names:
        return {name: array[name] for name in array.dtype.names}, True
    return dict(zip(_numbered(array.shape[1]), array.T, strict=True)), False


def collected(name: str, table: Any) -> Any:
    """The table with its rows: a lazy frame of polars is read. ValueError for others whose rows are not there yet."""
    if isinstance(table, Mapping | np.ndarray | list | tuple):
        return table
    if hasattr(table, "collect_schema"):
        return table.collect() if hasattr(table, "collect") else table
    for method, call in LATER.items():
        if hasattr(table, method):
            raise ValueError(f"{name} is a {type(table).__name__}, whose rows are not read yet: hand over its {call}")
    return table


def plain_values(name: str, values: Any) -> tuple[Array, bool]:
    """(the values as an array of NumPy's, whether they are a category of pandas, polars or Arrow)."""
    sequence = hasattr(values, "to_numpy") or hasattr(values, "__len__")
    if not sequence or isinstance(values, str | bytes | Mapping | set | frozenset):
        raise ValueError(f"column {name!r} must be a sequence with a value for each row, got {brief(values)}")
    dtype = str(getattr(values, "dtype", getattr(values, "type", ""))).lower()
    if hasattr(values, "to_numpy"):
        plain = numpy_of(values)
        if plain.dtype.kind == "f" and "int" in dtype and np.nanmax(np.abs(plain), initial=0) >= EXACT:
            plain = np.fromiter(values.to_pylist() if hasattr(values, "to_pylist") else values.to_list(), object)
    elif isinstance(values, np.ndarray):
        plain = values
    else:
        plain = np.fromiter(values, dtype=object)
    if plain.ndim != 1 or plain.dtype.names:
        raise ValueError(f"column {name!r} has several values in a cell: a table has one in each")
    return plain, dtype.startswith(("categor", "enum", "dictionary"))


def numpy_of(values: Any) -> Array:
    """What offers `to_numpy` (pandas, polars, Arrow) as an array of NumPy's."""
    if str(getattr(values, "type", "")).startswith("dictionary"):
        return np.fromiter(values.to_pylist(), object)  # Arrow's own conversion makes values of gaps
    return np.asarray(values.to_numpy(zero_copy_only=False) if hasattr(values, "buffers") else values.to_numpy())


def _array(table: Any) -> Array:
    """Rows, or an array, as (rows, columns) or structured (rows,); masked where they were."""
    if isinstance(table, list | tuple) and any(isinstance(row, np.ma.MaskedArray) and row.ndim for row in table):
        array: Array = np.ma.stack([np.ma.asarray(row) for row in table])
    elif isinstance(table, np.ma.MaskedArray):
        array = table
    else:
        try:
            array = np.array(table, dtype=object) if isinstance(table, list | tuple) else np.asarray(table)
        except ValueError:
            raise ValueError(f"a table's rows must be of one length, got {brief(table)}") from None
    if array.dtype.kind == "c":
        raise ValueError("Complex data not supported: the table has complex numbers")
    if array.ndim == 0:
        raise ValueError(f"Expected 2D array, or another table with rows and columns, got {brief(table)}")
    if array.ndim != (1 if array.dtype.names else 2):
        hint = " Reshape your data: X.reshape(-1, 1) for one column, X.reshape(1, -1) for one row."
        raise ValueError(f"Expected 2D array: a table has two dimensions, rows and columns, not {array.shape}.{hint}")
    return array


def _numbered(count: int) -> list[str]:
    return [f"x{place}" for place in range(count)]


def _unique(names: list[str], columns: list[Any]) -> dict[str, Any]:
    for name, count in Counter(names).most_common(1):
        if count > 1:
            raise ValueError(f"column {name!r} is there more than once; give every column a name of its own")
    return dict(zip(names, columns, strict=True))
