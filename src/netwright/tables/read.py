"""Files in and out: CSV, JSON lines and Parquet as a `Frame`, and a `Frame` as any of them.

The only module that imports DuckDB. Its CSV reader guesses types from a sample and then rounds, drops or merges what
disagrees further down, silently. So it is told the layout and reads everything as text; a first pass over all rows
says which columns are plain numbers, a second fetches those as numbers, and the others are looked at one by one.
"""

import codecs
import gzip
import json
import os
import re
import shutil
import tempfile
import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from netwright.files.atomic import write_atomically
from netwright.tables.column import EXACT, kind_of, spelling
from netwright.tables.convert import as_column
from netwright.tables.csv_layout import CsvFile, find_layout, open_text
from netwright.tables.frame import Frame
from netwright.tables.text import NULLS, TextColumns, grouped

WIDE = 50  # columns in a statement, whose planning takes as long as the square of them
FEW = 10**6  # cells of a wide table, up to which its texts are looked at sooner than statements are planned
SMALL = 10**8  # bytes of a wide file, up to which all its texts are held at once, rather than read again and again
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
    _check_marks(delimiter, decimal, thousands, nulls)
    _check_there(path)
    form, packed = _format(path, (".gz", ".zst"))
    encoding = _python_encoding(encoding)
    formats = {"": date_format} if isinstance(date_format, str) else date_format or {}
    for each in formats.values():
        _check_date_format(each)
    try:
        with _connect() as con, tempfile.TemporaryDirectory(prefix="netwright-") as scratch:
            if form == "parquet":
                return _read_parquet(con, path, set(nulls) - set(NULLS))
            source = _unpacked(con, path, Path(scratch)) if packed == ".zst" else path
            texts = TextColumns(str(path), formats, categorical, needed, decimal, thousands)
            if form == "json":
                return _read_json(texts, source, encoding, set(nulls))
            utf8 = source if encoding == "utf-8-sig" else _in_utf8(source, encoding, Path(scratch))
            marks = delimiter or ("\t" if ".tsv" in path.name.lower() else "")
            file = find_layout(source, encoding, delimiter=marks, header=header, nulls=nulls)
            try:
                return _read_csv(con, texts, file, _csv_rows(file, utf8, nulls))
            except duckdb.Error as error:
                raise ValueError(f"{path}: {file.fault() or _first_line(error)}") from None
    except duckdb.Error as error:
        raise ValueError(f"{path} cannot be read as {form}: {_first_line(error)}") from None
    except UnicodeError as error:
        raise ValueError(f"{path} cannot be read as {encoding.removesuffix('-sig')}: {error}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed: {error}") from None


def _connect() -> Any:
    import duckdb

    # An extension that is not there shall be an error, not an attempt to download it.
    con = duckdb.connect(config={"threads": 2, "autoinstall_known_extensions": False})
    con.execute("set enable_progress_bar = false")
    return con


def _first_line(error: Exception) -> str:
    """The first of DuckDB's many lines, without the class of the error."""
    return re.sub(r"^[\w ]*Error: ", "", str(error).strip().splitlines()[0])


def _check_there(path: Path) -> None:
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; name one file in it")
    try:
        if not path.stat().st_size:
            raise ValueError(f"{path}: the file is empty")
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None


def _format(path: Path, packings: Collection[str]) -> tuple[str, str]:
    """('csv', 'json' or 'parquet'; how it is packed), told by the name's ending."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in packings else ""
    form = FORMATS.get(suffixes[-1]) if suffixes else None
    if form is None or (packed and form == "parquet"):
        known = f"{', '.join(FORMATS)}, text also {', '.join(packings)}"
        raise ValueError(f"{path}: the ending tells the format; known are {known}")
    return form, packed


def _check_marks(delimiter: Any, decimal: Any, thousands: Any, nulls: Any) -> None:
    """ValueError for marks that are no single character, or that one cannot tell apart."""
    marks = {"delimiter": delimiter, "decimal": decimal, "thousands": thousands}
    given = {name: mark for name, mark in marks.items() if mark is not None and (mark != "" or name == "decimal")}
    for name, mark in given.items():
        if not isinstance(mark, str) or len(mark) != 1:
            raise ValueError(f"{name} must be one character, got {mark!r}")
    for name in ("decimal", "thousands"):
        if name in given and (given[name].isalnum() or given[name] in "+-"):
            raise ValueError(f"{name} must be a mark between digits, got {given[name]!r}")
    if thousands == decimal:
        raise ValueError(f"thousands and decimal are both {decimal!r}: 1{decimal}234 could be either; give two marks")
    if isinstance(nulls, str) or not all(isinstance(null, str) for null in nulls):
        raise ValueError(f"nulls must be a list of texts such as ['NA', '-'], got {nulls!r}")


def _check_date_format(form: str) -> None:
    try:
        datetime.strptime("", form)
    except ValueError as error:
        if "does not match" not in str(error) or "%" not in form:
            right = "one is made of %d, %m, %Y and such, as %d/%m/%Y"
            raise ValueError(f"{form!r} is not a date format; {right}") from None


def _python_encoding(encoding: str) -> str:
    """The encoding's own name, UTF-8 with or without its mark at the start. ValueError for an unknown one."""
    try:
        name = codecs.lookup(encoding).name
        "".encode(name)  # hex, zlib and the like are codecs of something else than text
    except (LookupError, TypeError, ValueError, AssertionError):
        raise ValueError(f"unknown encoding {encoding!r}; known are utf-8, latin-1, cp1252, utf-16 and more") from None
    return "utf-8-sig" if name in ("utf-8", "ascii") else name


def _unpacked(con: Any, path: Path, scratch: Path) -> Path:
    """A plain copy of a .zst file, line by line through DuckDB, as not every Python can unpack it."""
    copied = scratch / "unpacked"
    plain = "header {0}false, quote {0}'', escape {0}'', delim {0}'\x01'"
    lines = f"read_csv({_file(path)}, auto_detect=false, columns={{'line': 'VARCHAR'}}, {plain.format('=')})"
    con.execute(f"copy (from {lines}) to {_text(str(copied))} (format csv, {plain.format('')})")
    return copied


def _in_utf8(path: Path, encoding: str, scratch: Path) -> Path:
    """A copy in UTF-8: DuckDB knows few encodings, Python knows them all."""
    copied = scratch / "utf8"
    with open_text(path, encoding) as text, copied.open("w", encoding="utf-8", newline="") as copy:
        shutil.copyfileobj(text, copy)
    return copied


def _text(value: str) -> str:
    """A SQL string."""
    return "'" + value.replace("'", "''") + "'"


def _file(path: Path) -> str:
    """A SQL string that names this one file, even if there is a * or [ in its name."""
    return _text(re.sub(r"[*?\[]", r"[\g<0>]", str(path.absolute())))


# ── CSV ──


def _csv_rows(file: CsvFile, source: Path, nulls: Collection[str]) -> str:
    """SQL for all rows of the file, as texts c0, c1, …; `source` is the file in UTF-8."""
    types = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(file.fields)))
    return (
        f"read_csv({_file(source)}, auto_detect=false, strict_mode=true, hive_partitioning=false, columns={{{types}}}, "
        f"delim={_text(file.delimiter)}, quote='\"', escape='\"', comment='', header={file.header}, "
        f"skip={file.skip}, nullstr=[{', '.join(map(_text, nulls))}])"
    )


def _read_csv(con: Any, texts: TextColumns, file: CsvFile, rows: str) -> Frame:
    """The file as a Frame; what is beyond doubt a number never becomes a Python text."""
    texts.place, texts.notes = file.place, file.notes
    numbers = {f"c{i}": _as_number(f"c{i}", texts.decimal, texts.thousands) for i in range(len(file.fields))}
    parts = [{c: numbers[c] for c in list(numbers)[start : start + WIDE]} for start in range(0, len(numbers), WIDE)]
    if len(parts) > 1 and file.path.stat().st_size < SMALL:
        con.execute(f"create temp table wide as from {rows}")
        rows = "wide"
    n_rows = con.execute(f"select count(*) from {rows}").fetchone()[0]
    if not n_rows:
        raise ValueError(f"{texts.path} has a header and no rows")
    few = len(parts) > 1 and n_rows * len(numbers) < FEW
    sure = [False] * len(numbers) if few else [yes for part in parts for yes in _sure_numbers(con, part, texts, rows)]
    for i, name in enumerate(file.names):
        sure[i] = sure[i] and not texts.formats.keys() & {name, ""}  # 20240131 may be a date
    fetched: dict[str, Any] = {}
    for part in parts:
        sql = ", ".join(f"{number if sure[int(c[1:])] else c} as {c}" for c, number in part.items())
        fetched |= con.execute(f"select {sql} from {rows}").fetchnumpy()
    columns = {
        name: texts.decide(name, as_column(name, fetched.pop(c))) for name, c in zip(file.names, numbers, strict=True)
    }
    return Frame(columns, texts.notes, texts.path, file.place, texts.date_formats)


def _as_number(c: str, decimal: str, thousands: str | None) -> str:
    """SQL for the text c as DOUBLE, NULL where it is no number."""
    if thousands:
        plain = f"replace({c}, {_text(thousands)}, '')"
        c = f"case when regexp_full_match({c}, {_text(grouped(decimal, thousands))}) then {plain} else {c} end"
    if decimal != ".":
        c = f"translate({c}, {_text('.' + decimal)}, 'x.')"
    return f"case when not contains({c}, '_') then try_cast({c} as double) end"  # to DuckDB, 1_000 is a number


def _sure_numbers(con: Any, numbers: Mapping[str, str], texts: TextColumns, rows: str) -> Any:
    """For each column whether all are numbers, and none looks like 00123 or is an integer above 2^53."""
    zero = _text(f"0{texts.decimal}%")
    tests = [
        f"coalesce(count({c}) = count({number}) and not bool_or({c} < '1' and {c} not like {zero} and {c} <> '0' "
        f"and {c} not like '-%') and not max(abs({number})) >= {EXACT:.0f}, true)"
        for c, number in numbers.items()
    ]
    return con.execute(f"select {', '.join(tests)} from {rows}").fetchone()


# ── JSON lines and Parquet ──


def _read_json(texts: TextColumns, source: Path, encoding: str, nulls: Collection[str]) -> Frame:
    """Objects with a key for each column: one a line, or all in one array."""

    def parsed(text: str, where: str) -> Any:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            why = f"{error.msg} at character {error.pos + 1}"
        except RecursionError:
            why = "it is nested too deeply"
        raise ValueError(f"{texts.path}: {where} is not JSON: {why}")

    with open_text(source, encoding) as file:
        text = file.read()
    if text.lstrip().startswith("["):
        called, records = "row {}", dict(enumerate(parsed(text, "the file"), 1))
    else:
        called, lines = "line {}", enumerate(text.split("\n"), 1)
        records = {number: parsed(line, called.format(number)) for number, line in lines if line.strip()}
    if not records:
        raise ValueError(f"{texts.path} has no rows")
    for number, record in records.items():
        if not isinstance(record, dict):
            raise ValueError(f"{texts.path}: {called.format(number)} is not an object with a key for each column")
    numbers = list(records)
    texts.place = lambda row: called.format(numbers[row])
    columns = {}
    for name in dict.fromkeys(name for record in records.values() for name in record):
        cells = [None if isinstance(v := record.get(name), str) and v in nulls else v for record in records.values()]
        free = texts.categorical if texts.needed is None or name in texts.needed else (name,)
        column = as_column(name, cells, categorical=free, place=texts.place, path=texts.path, notes=texts.notes)
        columns[name] = texts.decide(name, column, numbers=False)  # "7" stays a text
    return Frame(columns, texts.notes, texts.path, texts.place, texts.date_formats)


def _read_parquet(con: Any, path: Path, nulls: Collection[str]) -> Frame:
    fetched = con.execute(f"select * from read_parquet({_file(path)}, hive_partitioning=false)").fetchnumpy()
    frame = Frame({}, path=str(path), place=lambda row: f"row {row + 1}")
    for name, values in fetched.items():
        column = as_column(name, values, place=frame.place, path=frame.path, notes=frame.notes)
        if nulls and kind_of(column) == "text":
            column[[value in nulls for value in column]] = None
        frame.columns[name] = column
    if not frame.n_rows:
        raise ValueError(f"{path} has no rows")
    return frame


# ── writing ──


def to_csv_text(frame: Frame, delimiter: str = ",") -> Iterator[str]:
    """The table as text, header first, some thousand rows at a time; a missing value is an empty field."""
    # csv.writer leaves a lone carriage return unquoted, and so unreadable.
    odd = re.compile(rf'[{re.escape(delimiter)}"\r\n]|^#|^\s|\s$' + ("|^$" if len(frame.columns) == 1 else ""))

    def cell(value: Any) -> str:
        text = spelling(value)
        return '"' + text.replace('"', '""') + '"' if odd.search(text) else text

    yield delimiter.join(map(cell, frame.names)) + "\n"
    for start in range(0, frame.n_rows, 4096):
        parts = [values[start : start + 4096] for values in frame.columns.values()]
        # tolist() is faster to go through, but of dates it would make datetimes or integers.
        columns = [map(cell, part if part.dtype.kind == "M" else part.tolist()) for part in parts]
        yield "".join(delimiter.join(row) + "\n" for row in zip(*columns, strict=True))


def write_table(path: str | os.PathLike[str], frame: Frame) -> None:
    """The frame as CSV, TSV, JSON lines (each also .gz) or Parquet, by the ending; it appears whole or not at all."""
    place = Path(os.path.realpath(path))  # a link's own ending says nothing
    form, packed = _format(place, (".gz",))

    def write(partial: Path) -> None:
        if form == "csv":
            text = to_csv_text(frame, "\t" if ".tsv" in place.name.lower() else ",")
            with gzip.open(partial, "wb") if packed else partial.open("wb") as file:
                file.writelines(piece.encode() for piece in text)
        else:
            _write_typed(partial, frame, f"format {form}" + (", compression gzip" if packed else ""))

    write_atomically(path, write)


def _write_typed(path: Path, frame: Frame, options: str) -> None:
    """Parquet and JSON lines, which DuckDB writes from the arrays; `data` it finds by its name."""
    data, sql = {}, []
    for i, (name, values) in enumerate(frame.columns.items()):
        kind = frame.kind(name)
        # Truth values go as numbers, since DuckDB tells the type of an object array by a few of its values.
        data[f"c{i}"] = values.astype(np.float64) if kind == "truth" else values
        number = f"nullif(c{i}, 'nan'::double)"
        cast = {"text": f"c{i}::varchar", "date": f"c{i}", "number": number, "truth": f"{number}::boolean"}[kind]
        sql.append(f'{cast} as "' + name.replace('"', '""') + '"')
    with _connect() as con:
        con.execute(f"copy (select {', '.join(sql)} from data) to {_text(str(path))} ({options})")
