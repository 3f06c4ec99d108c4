"""Files in and out: CSV, JSON lines and Parquet as a `Frame`, and a `Frame` as any of them."""

import codecs
import errno
import gzip
import os
import tempfile
import zlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from inspect import signature
from pathlib import Path
from typing import Any

from netwright.core import arguments
from netwright.core.arguments import brief, flag, several, whole
from netwright.files.schema import check, natural, plain
from netwright.tables import sql
from netwright.tables.csv_columns import read_csv
from netwright.tables.csv_layout import find_layout
from netwright.tables.formats import PACKINGS, format_of, tabbed
from netwright.tables.frame import Frame
from netwright.tables.json_rows import read_json
from netwright.tables.memory import with_words
from netwright.tables.packed import unpacked
from netwright.tables.parquet import read_parquet
from netwright.tables.text import NULLS, TextColumns, by_column
from netwright.tables.write import to_csv_text, write_table

__all__ = ["read_table", "to_csv_text", "write_table"]


NULL_TEXTS = "a list of texts such as ['NA', '-']"


def read_table(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    encoding: str = "utf-8",
    nulls: Sequence[str] | Mapping[str, Sequence[str]] = NULLS,
    date_format: str | Mapping[str, str] | None = None,
    categorical: Collection[str] = (),
    needed: Collection[str] | None = None,
    header: bool | None = None,
    skip_lines: int = 0,
    units_line: bool = False,
    spelled: bool = False,
    strip: bool = True,
    units: Mapping[str, str] | None = None,
) -> Frame:
    """A CSV, TSV, Parquet or JSON lines file, plain or (not Parquet) .gz or .zst, as a Frame.

    nulls: the spellings of a missing value besides the empty cell (in Parquet only those beyond the usual ones), or
        {column: spellings}, with those of all other columns under "".
    date_format: a strptime format, or {column: format}.
    categorical, needed: columns that may mix numbers with text, as may all that are not in `needed`.
    skip_lines, units_line: of a CSV file, lines at the top that are no part of the table; whether the line below the
        header holds units.
    spelled: make every column of a CSV file text, as the file has it, with no value missing but an empty one.
    strip: whether spaces around a cell of a CSV file are no part of it.
    units: {column: "$" or "%"}, where numbers had such a sign in an earlier file, and are not to have another.

    ValueError, or an OSError, of one sentence with file, column, line and value; also for a packed file that unpacks to
    more than half of the memory, or grows a hundredfold beyond 128 MiB.
    """
    if not isinstance(units, Mapping | None):
        raise ValueError(f"units must be a text by column, got {brief(units)}")
    path = Path(arguments.path("path", path))
    nulls = nulls if isinstance(nulls, Collection) else several("nulls", nulls, NULL_TEXTS)
    _check_marks(delimiter, decimal, thousands, nulls)
    columns = {"categorical": categorical, **({} if needed is None else {"needed": needed})}
    for name, names in columns.items():
        several(name, names, "a list of column names", ordered=False)
    _check_there(path)
    form, packed = format_of(path, PACKINGS)
    whole("skip_lines", skip_lines, 0)
    for name, value in (("units_line", units_line), ("spelled", spelled), ("strip", strip)):
        flag(name, value)
    if header is not None:
        flag("header", header)
    if form != "csv" and (skip_lines or units_line):
        raise ValueError(f"{path}: skip_lines and units_line are about the lines of a CSV file, and this is {form}")
    encoding = _python_encoding(encoding)
    formats = _date_formats(date_format)
    lists = {"": NULLS} | by_column(nulls)
    try:
        with tempfile.TemporaryDirectory(prefix="netwright-") as scratch:
            if form == "parquet":
                known = lists | {"": set(lists[""]) - set(NULLS)}
                return with_words(read_parquet(path, known), formats, categorical)
            source = unpacked(path, packed, Path(scratch))
            again = source if packed == ".zst" else path  # what can be read again, by Python
            texts = TextColumns(
                str(path), formats, categorical, needed, decimal, thousands,
                dressed=True, strip=strip, nulls=lists, signs=units or {},
            )  # fmt: skip
            usual = [*lists[""], *[""] * strip]
            if form == "json":
                return with_words(read_json(texts, source, encoding), formats, categorical)
            file = find_layout(
                again, encoding, delimiter=delimiter or "", usual="\t" if tabbed(path) else "",
                header=header, nulls=usual, skip_lines=skip_lines, units_line=units_line,
            )  # fmt: skip
            return read_csv(texts, file, source, ("",) if spelled else usual, Path(scratch), spelled=spelled)
    except sql.Refused as error:
        raise ValueError(f"{path} cannot be read as {form}: {error}") from None
    except UnicodeError as error:
        raise ValueError(f"{path} cannot be read as {encoding.removesuffix('-sig')}: {error}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed: {error}") from None
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError(f"{tempfile.gettempdir()} has no room to unpack {path}; name another place with TMPDIR") from None


def check_reading(where: str, reading: Any) -> None:
    """ValueError for what `read_table` would not take as its options: what a model's file says of the next table."""
    given = reading_options()
    known = {
        "encoding?": str,
        "nulls?": ({"...": [str]}, [str]),
        "date_format?": (None, str, {"...": str}),
        "header?": (None, bool),
    }
    known |= {"skip_lines?": natural, "units_line?": bool, "strip?": bool, "units?": (None, {"...": str})}
    check({f"{name}?": plain for name in given} | known, reading, where)
    given |= reading
    try:
        _check_marks(given["delimiter"], given["decimal"], given["thousands"], given["nulls"])
        _date_formats(given["date_format"])
        _python_encoding(given["encoding"])
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None


def reading_options() -> dict[str, Any]:
    """The options of `read_table` that may hold for several files, with their defaults."""
    own = ("path", "categorical", "needed", "spelled")  # which a model says by itself
    return {name: each.default for name, each in signature(read_table).parameters.items() if name not in own}


def _date_formats(date_format: str | Mapping[str, str] | None) -> Mapping[str, str]:
    """Each column's format, "" for all of them; ValueError for one that is none."""
    if not isinstance(date_format, str | Mapping | None):
        raise ValueError(f"date_format must be a text such as '%d/%m/%Y', or one by column, got {brief(date_format)}")
    formats = by_column(date_format)
    for each in formats.values():
        _check_date_format(each)
    return formats


def _check_there(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; name one file in it")
    try:
        if not path.stat().st_size:
            raise ValueError(f"{path}: the file is empty")
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None


def _check_marks(delimiter: Any, decimal: Any, thousands: Any, nulls: Any) -> None:
    """ValueError for marks that are no single character, or that one cannot tell apart."""
    marks = {"delimiter": delimiter, "decimal": decimal, "thousands": thousands}
    given = {name: mark for name, mark in marks.items() if mark is not None}
    for name, mark in given.items():
        if not isinstance(mark, str) or (len(mark) != 1 and (mark or name == "decimal")):
            raise ValueError(f"{name} must be one character, got {brief(mark)}")
    given = {name: mark for name, mark in given.items() if mark}
    if delimiter in ("\n", "\r", '"'):
        raise ValueError(f"delimiter must be a mark between fields, got {delimiter!r}")
    for name in ("decimal", "thousands"):
        if name in given and (given[name].isalnum() or given[name] in "+-"):
            raise ValueError(f"{name} must be a mark between digits, got {given[name]!r}")
    if thousands == decimal:
        raise ValueError(f"thousands and decimal are both {decimal!r}: 1{decimal}234 could be either; give two marks")
    for name, each in nulls.items() if isinstance(nulls, Mapping) else [("", nulls)]:
        called = f"nulls of column {name!r}" if name else "nulls"
        if not all(isinstance(null, str) for null in several(called, each, NULL_TEXTS, ordered=False)):
            raise ValueError(f"{called} must be {NULL_TEXTS}, got {brief(each)}")


def _check_date_format(form: Any) -> None:
    if not isinstance(form, str):
        raise ValueError(f"a date_format is a text such as '%d/%m/%Y', got {brief(form)}")
    try:
        datetime.strptime("", form)
    except ValueError as error:
        if "does not match" not in str(error) or "%" not in form:
            right = "one is made of %d, %m, %Y and such, as %d/%m/%Y"
            raise ValueError(f"date_format: {form!r} is not a date format; {right}") from None


def _python_encoding(encoding: str) -> str:
    """The encoding's own name, UTF-8 with or without its mark at the start. ValueError for an unknown one."""
    try:
        name = codecs.lookup(encoding).name
        # hex, zlib and the like are codecs of something else than text, idna of names only.
        codecs.getincrementaldecoder(name)("surrogateescape").decode("a,b\n".encode(name) * 2, final=True)
    except (LookupError, TypeError, ValueError, AssertionError):
        raise ValueError(
            f"unknown encoding {brief(encoding)}; known are utf-8, latin-1, cp1252, utf-16 and more"
        ) from None
    return "utf-8-sig" if name in ("utf-8", "ascii") else name
