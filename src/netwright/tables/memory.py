"""A table in memory as `train_table`, its models and the tabular estimators take it: one way in for all of them."""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from netwright.core.arguments import Array
from netwright.tables.column import kind_of, spelling
from netwright.tables.columns import columns_of, plain_values
from netwright.tables.convert import as_column, kind_of_type
from netwright.tables.frame import Frame, check_lengths
from netwright.tables.numbers import WHOLE
from netwright.tables.text import NULLS, TextColumns, said_of, without

CODES = 30  # so many different whole numbers in a column of text are names of something
DURATIONS = "column {!r} holds durations: they are taken in seconds"


def frame_of(
    table: Any,
    *,
    categorical: Collection[str] = (),
    exact: Collection[str] = (),
    ignored: Collection[str] = (),
    date_formats: Mapping[str, str] | None = None,
    nulls: Mapping[str, Collection[str]] | None = None,
    strict: bool = True,
) -> Frame:
    """A table in memory as a Frame, its columns decided as files' are; `date_formats` of it say how dates were read.

    A category of pandas, polars or Arrow is text, however its levels are spelled. Texts that are all numbers or dates,
    but for those that spell a gap, become these; few different whole numbers, which somebody made texts of, stay, and
    so do all texts in `categorical` and `exact`. Durations become seconds. Columns in `ignored` may hold anything.
    `date_formats` are those of texts, by column, under '' for all others, and so are `nulls`, spellings of gaps besides
    the usual ones.

    ValueError for a column that mixes kinds (unless it is in `categorical`; if not `strict`, it is text), for columns
    of different lengths, and for what no cell holds.
    """
    texts = TextColumns("", date_formats or {}, categorical, needed=(), dressed=True, nulls=nulls or {})
    columns, levels = dict[str, Array](), set[str]()
    for name, values in columns_of(table)[0].items():
        try:
            plain, category = plain_values(name, values)
            columns[name] = _column(name, plain, texts, strict, category, name in exact)
            levels |= {name} if category else set()
        except ValueError:
            if name not in ignored or not hasattr(values, "__len__"):
                raise
            columns[name] = np.full(len(values), None)
    check_lengths(columns)
    return Frame(columns, texts.notes, date_formats=texts.date_formats, levels=levels)


def _column(name: str, plain: Array, texts: TextColumns, strict: bool, category: bool, exact: bool) -> Array:
    if (gone := set(said_of(name, texts.nulls, ()))) and plain.dtype.kind in "OUT":
        plain = np.fromiter((None if isinstance(v, str) and v in gone else v for v in plain), dtype=object)
    if plain.dtype.kind == "m":
        texts.notes.append(DURATIONS.format(name))
        plain = np.ma.filled(plain, np.timedelta64("NaT"))
        return np.where(np.isnat(plain), np.nan, plain / np.timedelta64(1, "s"))
    if exact:
        return as_column(name, plain, categorical=texts.categorical, notes=texts.notes)
    free = texts.categorical if strict else (name,)
    column = _spelled(plain) if category else as_column(name, plain, categorical=free, notes=texts.notes)
    column = without(column, gone) if gone and not category else column
    return column if category or kind_of(column) != "text" else _in_words(name, column, texts)


def with_words(frame: Frame, date_formats: Mapping[str, str], categorical: Collection[str]) -> Frame:
    """A table from a file that has types; its columns of text too are numbers or dates where all of them say so."""
    texts = TextColumns(
        frame.path, date_formats, categorical, needed=(), place=frame.place, notes=frame.notes,
        date_formats=frame.date_formats, dressed=True,
    )  # fmt: skip
    for name, column in frame.columns.items():
        if name not in categorical and kind_of(column) == "text":
            frame.columns[name] = _in_words(name, column, texts)
    return frame


def _in_words(name: str, column: Array, texts: TextColumns) -> Array:
    """A column of text as numbers or dates, if that is what all of it but for gaps says; or else as it is."""
    values = column.tolist()
    known = {text for text in set(values) if text is not None and text.strip() not in NULLS}
    if not known or (len(known) <= CODES and all(map(WHOLE.fullmatch, known))):
        return column
    decided = texts.decide(name, np.array([text if text in known else None for text in values], dtype=object))
    return column if decided.dtype == object else decided


def _spelled(values: Array) -> Array:
    """Levels as texts, (n_rows,), None where there is none."""
    gone = {each for each in set(map(type, values)) if kind_of_type(each) is None}
    return np.array([None if type(v) in gone or v != v else spelling(v) for v in values], dtype=object)
