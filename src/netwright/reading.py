"""Files in and out: CSV, JSON lines and Parquet as a `Frame`, and a `Frame` as any of them.

The only module that imports DuckDB. Its CSV reader guesses types from a sample and then rounds, drops or merges what
disagrees further down, silently. So it guesses nothing here: the layout is given, a first pass over all rows tells which
columns are numbers, a second one reads those as numbers and the others as text, which is then looked at as a whole.
"""

import codecs
import gzip
import io
import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from netwright.arguments import Array
from netwright.csv_reading import CsvFile, find_layout, open_text
from netwright.frame import EXACT, Frame, Place, as_column, kind_of, spelling
from netwright.text_columns import TextColumns, as_number, sql_text

NULLS = ("", "NA", "N/A", "#N/A", "null", "NULL", "NaN", "nan", "None", "?", "-")
FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
}  # fmt: skip


def read_table(
    path: str | os.PathLike[str],
    *,
    delimiter: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    encoding: str = "utf-8",
    nulls: Sequence[str] = NULLS,
    date_format: str | Mapping[str, str] | None = None,
    categorical: Collection[str] = (),
    needed: Collection[str] | None = None,
    header: bool | None = None,
) -> Frame:
    """A CSV, TSV, Parquet or JSON lines file, plain or (not Parquet) .gz or .zst, as a Frame.

    `nulls` are the spellings of a missing value (in Parquet only those beyond the usual ones); `date_format` is a
    strptime format, or one for each column; columns in `categorical` may mix numbers with text, and so may columns not
    in `needed`. ValueError, or an OSError, of one sentence with file, column, line and value.
    """
    import duckdb

    path = Path(path)
    form, packed = _format(path, (".gz", ".zst"))
    _check_there(path)
    encoding = _python_encoding(encoding)
    formats = {"": date_format} if isinstance(date_format, str) else dict(date_format or {})
    con = _connect()
    try:
        _check_date_formats(con, formats.values())
        if form == "parquet":
            return _read_parquet(con, path, set(nulls) - set(NULLS))
        with tempfile.TemporaryDirectory(prefix="netwright-") as scratch:
            source = _unpacked(con, path, Path(scratch)) if packed == ".zst" else path
            texts = TextColumns(con, str(path), formats, categorical, needed, decimal=decimal, thousands=thousands)
            if form == "json":
                return _read_json(texts, source, encoding, set(nulls))
            utf8 = source if encoding == "utf-8-sig" else _in_utf8(source, encoding, Path(scratch))
            delimiter = delimiter or ("\t" if ".tsv" in path.name.lower() else None)
            file = find_layout(source, encoding, delimiter=delimiter, header=header, nulls=nulls)
            try:
                return _read_csv(texts, file, _csv_rows(file, utf8, nulls))
            except duckdb.Error as error:
                if sentence := file.fault():
                    raise ValueError(f"{path}: {sentence}") from None
                raise error
    except duckdb.Error as error:
        first = re.sub(r"^[\w ]*Error: ", "", str(error).strip().splitlines()[0])  # of many lines
        raise ValueError(f"{path} cannot be read as {form}: {first}") from None
    except UnicodeError as error:
        raise ValueError(f"{path} cannot be read as {encoding.removesuffix('-sig')}: {error}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed: {error}") from None
    finally:
        con.close()


def _connect() -> Any:
    import duckdb

    # An extension that is not there shall be an error, not an attempt to download it.
    con = duckdb.connect(config={"threads": 2, "autoinstall_known_extensions": False})
    con.execute("set enable_progress_bar = false")
    return con


def _format(path: Path, packings: Collection[str]) -> tuple[str, str]:
    """('csv', 'json' or 'parquet'; how it is packed), told by the name's ending."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in packings else ""
    form = FORMATS.get(suffixes[-1]) if suffixes else None
    if form is None or (packed and form == "parquet"):
        known = f"{', '.join(FORMATS)}, text also {', '.join(packings)}"
        raise ValueError(f"{path}: the ending tells the format; known are {known}")
    return form, packed


def _check_there(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; name one file in it")
    try:
        if not path.stat().st_size:
            raise ValueError(f"{path}: the file is empty")
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None


def _check_date_formats(con: Any, formats: Collection[str]) -> None:
    import duckdb

    for form in formats:
        try:
            con.execute("select try_strptime('', ?)", [form])
        except duckdb.Error:
            raise ValueError(
                f"{form!r} is not a date format; one is made of %d, %m, %Y and such, as %d/%m/%Y"
            ) from None


def _python_encoding(encoding: str) -> str:
    """The encoding's own name, UTF-8 with or without its mark at the start. ValueError for an unknown one."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise ValueError(f"unknown encoding {encoding!r}; known are utf-8, latin-1, cp1252, utf-16 and more") from None
    return "utf-8-sig" if name in ("utf-8", "ascii") else name


def _unpacked(con: Any, path: Path, scratch: Path) -> Path:
    """A plain copy of a .zst file, line by line through DuckDB, as not every Python can unpack it."""
    plain = "delimiter '\x01', quote '', escape '', header false"
    lines = f"read_csv({_file(path)}, auto_detect=false, columns={{'line': 'VARCHAR'}}, {plain.replace(' ', '=')}"
    copied = scratch / "unpacked"
    con.execute(f"copy (from {lines}) to {_file(copied)} (format csv, {plain})")
    return copied


def _in_utf8(path: Path, encoding: str, scratch: Path) -> Path:
    """A copy in UTF-8: DuckDB knows few encodings, Python knows them all."""
    copied = scratch / "utf8"
    with open_text(path, encoding) as text, copied.open("w", encoding="utf-8", newline="") as copy:
        shutil.copyfileobj(text, copy)
    return copied


def _file(path: Path) -> str:
    """A SQL string that names this one file, even if there is a * or [ in its name."""
    return sql_text(re.sub(r"[*?\[]", r"[\g<0>]", str(path.absolute())))


def _fetch(con: Any, names: Sequence[str], sql: Sequence[str], source: str, notes: list[str]) -> dict[str, Array]:
    """A Frame's columns, one for each SQL expression."""
    fetched = con.execute(f"select {', '.join(f'{e} as c{i}' for i, e in enumerate(sql))} from {source}").fetchnumpy()
    columns = {}
    for i, name in enumerate(names):
        values = fetched.pop(f"c{i}")
        gone, plain = np.ma.getmaskarray(values), np.ma.getdata(values)
        empty = {"f": np.nan, "M": np.datetime64("NaT")}.get(plain.dtype.kind)
        if empty is None and gone.any():
            plain = plain.astype(object)
        plain[gone] = empty
        columns[name] = as_column(name, plain, notes=notes)
    return columns


# ── CSV ──


def _csv_rows(file: CsvFile, source: Path, nulls: Collection[str]) -> str:
    """SQL for all rows of the file, as texts c0, c1, …; `source` is the file in UTF-8."""
    types = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(file.fields)))
    return (
        f"read_csv({_file(source)}, auto_detect=false, strict_mode=true, hive_partitioning=false, columns={{{types}}}, "
        f"delim={sql_text(file.delimiter)}, quote='\"', escape='\"', comment='', header={file.header}, "
        f"skip={file.skip}, nullstr=[{', '.join(map(sql_text, nulls))}])"
    )


def _read_csv(texts: TextColumns, file: CsvFile, rows: str) -> Frame:
    """The file as a Frame. Numbers are stored as numbers at once, which takes a third of the memory."""
    con, names = texts.con, file.names
    c = [f"c{i}" for i in range(len(names))]
    numbers = [as_number(each, texts.decimal, texts.thousands) for each in c]
    n_rows, plain = _plain_numbers(con, c, numbers, texts.decimal, rows)
    if not n_rows:
        raise ValueError(f"{texts.path} has a header and no rows")
    if texts.formats:  # 20240131 may be a date
        plain = [False] * len(c)
    stored = [f"{number if is_plain else each} as {each}" for each, number, is_plain in zip(c, numbers, plain, strict=True)]
    con.execute(f"create temp table t as select {', '.join(stored)} from {rows}")
    texts.place, texts.notes = file.place, file.notes
    sql = [each if is_plain else texts.value(each, name) for each, name, is_plain in zip(c, names, plain, strict=True)]
    return Frame(_fetch(con, names, sql, "t", texts.notes), texts.notes, texts.path, file.place, texts.date_formats)


def _plain_numbers(con: Any, c: list[str], numbers: list[str], decimal: str, rows: str) -> tuple[int, list[bool]]:
    """(n_rows, which columns are numbers beyond doubt): none of them a code such as 00123 or an integer above 2^53."""
    tests = [
        f"coalesce(count({each}) = count({number}) and not bool_or({each} < '1' and {each} not like '0{decimal}%' "
        f"and {each} <> '0' and {each} not like '-%') and not max(abs({number})) >= {EXACT:.0f}, true)"
        for each, number in zip(c, numbers, strict=True)
    ]
    ((n_rows, *plain),) = con.execute(f"select count(*), {', '.join(tests)} from {rows}").fetchall()
    return n_rows, plain


# ── JSON lines and Parquet ──


def _read_json(texts: TextColumns, source: Path, encoding: str, nulls: set[str]) -> Frame:
    """Objects with a key for each column: one a line, or all in one array."""
    path = texts.path
    with open_text(source, encoding) as text:
        try:
            if text.read(4096).lstrip().startswith("["):
                text.seek(0)
                records, line = dict(enumerate(json.load(text))), 0

