"""Tables in memory: a `Frame` of NumPy columns, read from any file, made from arrays, and written again.

The only module that imports DuckDB. Its CSV reader guesses types from a sample and then rounds, drops or merges what
disagrees further down, silently. So it is asked for two things only: the dialect, and which columns are numbers. Every
type is then given, the whole file is read strictly, and all rows together decide what a text column is.
"""

import codecs
import csv
import gzip
import io
import json
import os
import re
import shutil
import tempfile
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netwright.table import did_you_mean

Array = NDArray[Any]
Place = Callable[[int], str]

NULLS = ("", "NA", "N/A", "#N/A", "null", "NULL", "NaN", "nan", "None", "?", "-")
FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
}  # fmt: skip
EXACT = 2.0**53  # from here on a float64 no longer tells neighbouring integers apart
NUMBERS = re.compile(r"U?(TINY|SMALL|BIG|HUGE)INT|U?INTEGER|FLOAT|DOUBLE|DECIMAL.*|BIGNUM|VARINT")  # DuckDB's types
IDENTIFIERS = "column {!r} holds integers above 2^53, which a float64 would round: it is kept as text"
KINDS = {"number", "text", "truth", "date"}
MISSING_TYPES = {"NoneType", "NAType", "NaTType"}  # by name, so that neither pandas nor polars is imported


@dataclass(frozen=True, eq=False)
class Frame:
    """A table in memory: columns by name, all of one length, in the file's order.

    A column's dtype tells its kind: float64 with NaN for numbers, object of str and None for text, object of bool and
    None for truth values, datetime64[us] with NaT for dates. `notes` are sentences on what the reader decided.
    """

    columns: dict[str, Array]
    notes: list[str] = field(default_factory=list)
    path: str = ""
    place: Place = "index {}".format  # row number → where a person finds it: "line 30", "row 30", "index 29"
    date_formats: dict[str, str] = field(default_factory=dict)  # how dates other than ISO were read, for the next file

    @property
    def n_rows(self) -> int:
        return len(next(iter(self.columns.values()), ()))

    @property
    def names(self) -> list[str]:
        return list(self.columns)

    def column(self, name: str) -> Array:
        """The column of that name, shape (n_rows,). ValueError with the known names for an unknown one."""
        if name in self.columns:
            return self.columns[name]
        hint, known = did_you_mean(name, self.columns), ", ".join(map(repr, self.columns))
        raise ValueError(f"{self.path or 'the table'} has no column {name!r}; {hint}its columns are {known}")

    def kind(self, name: str) -> str:
        """'number', 'text', 'truth' or 'date'."""
        return kind_of(self.column(name))

    def take(self, rows: Array) -> "Frame":
        """The rows of these numbers, or where this mask is true, in that order; they keep their place in the file."""
        kept, place = np.arange(self.n_rows)[rows], self.place
        columns = {name: values[kept] for name, values in self.columns.items()}
        return replace(self, columns=columns, place=lambda row: place(int(kept[row])))

    def drop(self, names: Collection[str]) -> "Frame":
        """The frame without these columns. ValueError for an unknown name."""
        for name in names:
            self.column(name)
        return replace(self, columns={name: values for name, values in self.columns.items() if name not in names})

    @classmethod
    def from_arrays(cls, data: Any, *, categorical: Collection[str] = ()) -> "Frame":
        """From a 2-D array (rows, columns x0, x1, …), a mapping of sequences, or a pandas or polars data frame.

        Every kind of missing value is understood (None, NaN, NaT, pandas.NA). ValueError for a column that mixes kinds
        (unless it is named in `categorical`), for lists of different lengths and for nested values.
        """
        if isinstance(data, Mapping):
            pairs = [(str(name), values) for name, values in data.items()]
        elif hasattr(data, "columns") and hasattr(data, "__getitem__"):
            pairs = [(str(name), data[name]) for name in data.columns]
        else:
            table = data if isinstance(data, np.ndarray) else np.array(data, dtype=object)
            if table.ndim != 2:
                raise ValueError(f"a table has two dimensions, rows and columns; this array has shape {table.shape}")
            pairs = [(f"x{j}", table[:, j]) for j in range(table.shape[1])]
        if twice := [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]:
            raise ValueError(f"column {twice[0]!r} is there more than once; give every column a name of its own")
        notes: list[str] = []
        columns = {name: as_column(name, values, categorical=categorical, notes=notes) for name, values in pairs}
        if len(lengths := {name: len(values) for name, values in columns.items()}) and len(set(lengths.values())) > 1:
            raise ValueError(f"the columns have different lengths: {lengths}")
        return cls(columns, notes)


def kind_of(values: Array) -> str:
    """'number', 'date', 'truth' or 'text': the kind of a Frame's column."""
    if values.dtype.kind in "fM":
        return "number" if values.dtype.kind == "f" else "date"
    return "truth" if isinstance(next((v for v in values if v is not None), None), bool) else "text"


def spelling(value: Any) -> str:
    """One value as text: 3.0 is '3', True is 'true', midnight is its date alone; a missing value is ''."""
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (bool, np.bool_)):
        return "true" if value else "false"
    if type(value) is float:  # as below, without the slow question whether it is a number
        return str(int(value)) if value.is_integer() and abs(value) < EXACT else repr(value)
    if isinstance(value, Real):
        number = int(value) if isinstance(value, Integral) else float(value)
        return str(int(number)) if abs(number) < EXACT and number == int(number) else repr(number)
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[us]")).removesuffix(".000000").removesuffix("T00:00:00")
    return str(value)


def _count(count: int, what: str) -> str:
    return f"{count} {'truth value' if what == 'truth' else what}{'' if count == 1 else 's'}"


def _mixed(path: str, name: str, counted: str, value: object, more: Sequence[object], place: str) -> ValueError:
    """What to say of a column that a few values keep from being of one kind."""
    others = f" (and {', '.join(map(repr, more))})" if more else ""
    null = f"--null {value}" if re.fullmatch(r"[\w.-]+", str(value)) else f"--null '{value}'"
    return ValueError(
        f"{path + ': ' if path else ''}column {name!r}: {counted}, then {value!r} on {place}{others}; mend the value, "
        f"name it as missing ({null}), or take the column as categories (--categorical {name})"
    )


# ── arrays and lists ──


def _kind_of_type(kind: type) -> str:
    if kind.__name__ in MISSING_TYPES:
        return "missing"
    if issubclass(kind, np.timedelta64):  # which NumPy counts among the integers
        return "duration"
    for name, types in (
        ("truth", (bool, np.bool_)), ("number", (Real, Decimal)), ("text", str), ("date", (date, np.datetime64)),
    ):  # fmt: skip
        if issubclass(kind, types):
            return name
    return kind.__name__


def _as_date(value: Any) -> np.datetime64:
    """Any date as datetime64[us]; one with a time zone in UTC, as NumPy's has none."""
    if isinstance(value, datetime) and value.tzinfo:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")


def as_column(
    name: str, values: Any, *, categorical: Collection[str] = (), place: Place = "index {}".format, path: str = "",
    notes: list[str] | None = None,
) -> Array:  # fmt: skip
    """Any sequence as a Frame's column, shape (n_rows,). ValueError, naming column and place, for mixed kinds."""
    plain = values if isinstance(values, np.ndarray) else values.to_numpy() if hasattr(values, "to_numpy") else None
    if plain is not None and plain.ndim == 1:
        if plain.dtype.kind == "f":
            return plain.astype(np.float64)
        if plain.dtype.kind == "M":
            return plain.astype("datetime64[us]")
        if plain.dtype.kind in "iu" and (not plain.size or max(-int(plain.min()), int(plain.max())) < EXACT):
            return plain.astype(np.float64)
    given = np.fromiter(values if plain is None else plain, dtype=object)
    types = set(map(type, given))
    if types <= {float, int, type(None)}:  # the two usual cases, as the general way is a slow one
        with suppress(OverflowError):
            numbers = given.astype(np.float64)
            if int not in types or not np.any(np.abs(numbers) >= EXACT):
                return numbers
    elif types <= {str, type(None)}:
        return given
    kinds = {kind: _kind_of_type(kind) for kind in types}
    # NaN and NaT are the values that differ from themselves; pandas.NA, which does not like the question, is not asked.
    known = [kinds[type(v)] != "missing" and (kinds[type(v)] not in ("number", "date") or v == v) for v in given]
    present = np.flatnonzero(np.array(known, dtype=bool))
    counts = Counter(kinds[type(given[row])] for row in present)
    usual = counts.most_common(1)[0][0] if counts else "number"
    for row in map(int, present if len(counts) > 1 or usual not in KINDS else ()):
        kind = kinds[type(given[row])]
        if kind not in KINDS:
            where = f"{path + ': ' if path else ''}column {name!r}, {place(row)}"
            raise ValueError(f"{where}: a {kind} in a cell; it holds a number, a text, true or false, or a date")
        if kind != usual and name not in categorical:
            raise _mixed(path, name, _count(counts[usual], usual), given[row], (), place(row))
    if len(counts) > 1:
        usual = "text"
    if usual == "number" and any(isinstance(v, Integral) and abs(int(v)) >= EXACT for v in given[present]):
        usual = "text"
        if notes is not None:
            notes.append(IDENTIFIERS.format(name))
    empty, convert = _WAYS[usual]
    column = np.full(len(given), empty, dtype=object if empty is None else None)
    column[present] = [convert(v) for v in given[present]]
    return column


_WAYS: dict[str, tuple[Any, Callable[[Any], Any]]] = {  # a column's missing value, and how the others are stored
    "number": (np.nan, float),
    "text": (None, spelling),
    "truth": (None, bool),
    "date": (np.datetime64("NaT", "us"), _as_date),
}


# ── files ──


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
    form = _form(path)
    formats = dict(date_format) if isinstance(date_format, Mapping) else {"": date_format} if date_format else {}
    # An extension that is not there shall be an error, not an attempt to download it.
    con = duckdb.connect(config={"threads": 2, "autoinstall_known_extensions": False})
    try:
        for each in formats.values():
            _check_format(con, each)
        judge = _Judge(con, str(path), formats, categorical, needed)
        if form == "parquet":
            return _read_parquet(con, path, set(nulls) - set(NULLS))
        if form == "json":
            return _read_json(judge, path, set(nulls))
        with tempfile.TemporaryDirectory(prefix="netwright-") as scratch:
            encoding = _python_encoding(encoding)
            source = _in_utf8(path, encoding, Path(scratch))
            delimiter = delimiter or ("\t" if ".tsv" in path.name.lower() else None)
            return _Csv(path, source, encoding, delimiter, decimal, thousands, tuple(nulls), header).read(judge)
    except duckdb.Error as error:
        raise ValueError(f"{path} cannot be read as {form}: {_first_line(error)}") from None
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ValueError(f"{path} cannot be decompressed: {error}") from None
    finally:
        con.close()


def _check_format(con: Any, form: str) -> None:
    import duckdb

    try:
        con.execute("select try_strptime('', ?)", [form]).fetchall()
    except duckdb.Error:
        raise ValueError(f"{form!r} is not a date format; one is made of %d, %m, %Y and such, as %d/%m/%Y") from None


def _form(path: Path) -> str:
    """'csv', 'json' or 'parquet', told by the name's ending, of a file that is there and not empty."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in (".gz", ".zst") else ""
    ending = suffixes[-1] if suffixes else ""
    form = FORMATS.get(ending)
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; name one file in it")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except PermissionError:
        raise PermissionError(f"{path} may not be read: permission denied") from None
    if ending in (".bz2", ".xz", ".zip", ".7z", ".lz4", ".br"):
        raise ValueError(f"{path}: {ending} files are not read; decompress it, or compress it as .gz or .zst")
    if form is None or (packed and form == "parquet"):
        raise ValueError(f"{path}: the ending tells the format; known are {', '.join(FORMATS)}, text also .gz, .zst")
    if empty:
        raise ValueError(f"{path}: the file is empty")
    return form


def _open(source: Path) -> Any:
    """The bytes of a plain or gzip file. ValueError for .zst, which not every Python can decompress."""
    if source.suffix.lower() == ".zst":
        raise ValueError(f"{source}: this needs a file that is not compressed as .zst")
    return gzip.open(source) if source.suffix.lower() == ".gz" else source.open("rb")


def _in_utf8(path: Path, encoding: str, scratch: Path) -> Path:
    """The file itself where it is UTF-8, else a copy that is: DuckDB knows few encodings, Python knows them all."""
    if encoding == "utf-8-sig":
        return path
    copied = scratch / "utf8.csv"
    try:
        with (
            _open(path) as file,
            io.TextIOWrapper(file, encoding, newline="") as text,
            copied.open("w", encoding="utf-8", newline="") as copy,
        ):
            shutil.copyfileobj(text, copy)
    except UnicodeError as error:
        raise ValueError(f"{path} cannot be read as {encoding}: {error}") from None
    return copied


def _python_encoding(encoding: str) -> str:
    """The encoding's own name, UTF-8 with or without its mark at the start. ValueError for an unknown one."""
    try:
        name = codecs.lookup(encoding).name
    except LookupError:
        raise ValueError(f"unknown encoding {encoding!r}; known are utf-8, latin-1, cp1252, utf-16 and more") from None
    return "utf-8-sig" if name in ("utf-8", "ascii") else name


def _text(value: str) -> str:
    """A SQL string."""
    return "'" + value.replace("'", "''") + "'"


def _file(path: Path) -> str:
    """A SQL string that names this one file, even if there is a * or [ in its name."""
    return _text(re.sub(r"[*?\[]", r"[\g<0>]", str(path.absolute())))


def _row(con: Any, what: str, where: str = "") -> tuple[Any, ...]:
    rows = con.execute(f"select {what} from t {where}").fetchall()
    return tuple(rows[0]) if rows else ()


def _rounded(con: Any, columns: dict[int, str], source: str) -> set[int]:
    """Which of these columns have numbers so large that a float64 may not be exact."""
    if not columns:
        return set()
    maxima = ", ".join(f"max(abs(cast({c} as double)))" for c in columns.values())
    largest = con.execute(f"select {maxima} from {source}").fetchall()[0]
    return {i for i, value in zip(columns, largest, strict=True) if value is not None and value >= EXACT}


def _first_line(error: Exception) -> str:
    """The first of DuckDB's many lines, without the class of the error."""
    return re.sub(r"^[\w ]*Error: ", "", str(error).strip().splitlines()[0])


def _fetch(con: Any, names: Sequence[str], sql: Sequence[str], source: str = "t") -> dict[str, Array]:
    """One column of the Frame's dtypes for each SQL expression."""
    fetched = con.execute(f"select {', '.join(f'{e} as c{i}' for i, e in enumerate(sql))} from {source}").fetchnumpy()
    columns = {}
    for i, name in enumerate(names):
        values = fetched.pop(f"c{i}")
        missing, plain = np.ma.getmaskarray(values), np.ma.getdata(values)
        if plain.dtype.kind not in "fM":
            plain = plain.astype(object)
        plain[missing] = {"f": np.nan, "M": np.datetime64("NaT")}.get(plain.dtype.kind)
        columns[name] = plain
    return columns


@dataclass(frozen=True)
class _Csv:
    """One delimited file and its dialect. DuckDB reads `source`: the file, or a copy in UTF-8 that is soon gone."""

    path: Path
    source: Path
    encoding: str
    delimiter: str | None
    decimal: str
    thousands: str | None
    nulls: tuple[str, ...]
    header: bool | None
    skip: int = 0

    def read(self, judge: "_Judge") -> Frame:
        """The whole file. Numbers are read as numbers while that goes; else all is text, and the judge decides."""
        import duckdb

        con, start = judge.con, self.start()
        try:
            file, names, numeric = start.sniff(con, self.delimiter)
            if judge.formats:  # 20240131 may be a date
                numeric = set()
            try:
                file.load(con, len(names), numeric)
            except duckdb.Error:
                numeric = set()
                file.load(con, len(names), numeric)
            if rounded := _rounded(con, {i: f"c{i}" for i in numeric}, "t"):
                numeric -= rounded
                file.load(con, len(names), numeric)
        except duckdb.Error as error:
            raise start.fault(str(error)) from None
        if not _row(con, "count(*)")[0]:
            raise ValueError(f"{self.path} has a header and no rows")
        judge = replace(judge, place=file.place, decimal=self.decimal, thousands=self.thousands)
        notes, date_formats = file.notes(names), dict[str, str]()
        sql = [f"c{i}" if i in numeric else judge.decide(i, name, notes, date_formats) for i, name in enumerate(names)]
        return Frame(_fetch(con, names, sql), notes, str(self.path), file.place, date_formats)

    def start(self) -> "_Csv":
        """Below the lines that are blank or begin with #, and with the delimiter of which the line there has most."""
        if self.path.suffix.lower() == ".zst":
            return self
        top, skip = "", 0
        with _open(self.path) as file, io.TextIOWrapper(file, self.encoding, errors="replace") as text:
            for number, line in enumerate(text, 1):
                if line.strip() and not line.startswith("#"):
                    top = line
                    break
                skip = number
        if not top:
            raise ValueError(f"{self.path}: the file has no table, only blank lines or lines that begin with #")
        return replace(self, delimiter=self.delimiter or max(",;\t|", key=top.count), skip=skip)

    def options(self) -> str:
        thousands = f", thousands={_text(self.thousands)}" if self.thousands else ""
        return (
            f"quote='\"', escape='\"', comment='', strict_mode=true, decimal_separator={_text(self.decimal)}"
            f", nullstr=[{', '.join(map(_text, self.nulls))}]{thousands}"
        )

    def sniff(self, con: Any, delimiter: str | None) -> "tuple[_Csv, list[str], set[int]]":
        """The dialect, the columns' names, and which of them look like numbers. ValueError for a ragged file."""

        def ask(skip: int, header: bool | None) -> tuple[Any, ...]:
            more = "" if header is None else f", header={header}"
            more += f", delim={_text(delimiter)}" if delimiter else ""
            source = f"sniff_csv({_file(self.source)}, {self.options()}, skip={skip}, sample_size=20480{more})"
            return tuple(con.execute(f"select delimiter, hasheader, columns from {source}").fetchall()[0])

        # Told how many lines to skip, even none, DuckDB looks for no more, such as a header shorter than its rows.
        skip = self.skip
        mark, header, columns = ask(skip, self.header)
        above = next(replace(self, skip=skip - 1).records(), (0, []))[0] if skip else 0
        if above == skip > 0 and not header and self.header is None:  # "#id,name" right above the rows: their header
            another = ask(skip - 1, True)
            if len(another[2]) == len(columns):
                skip, (mark, header, columns) = skip - 1, another
        if len(columns) == 1 and delimiter is None:
            top = replace(self, skip=skip)
            if top.wide(columns[0]["name"]):  # a ragged file, or a lost quote: to DuckDB that is one column
                if top.ragged() or self.path.suffix.lower() == ".zst":
                    raise top.fault("")
                return self.sniff(con, self.delimiter)
        file = replace(self, delimiter=mark, skip=skip, header=bool(header))
        numeric = {i for i, column in enumerate(columns) if NUMBERS.fullmatch(column["type"])}
        return file, [column["name"] for column in columns], numeric

    def load(self, con: Any, width: int, numeric: set[int]) -> None:
        """The file as the table t of DOUBLE and VARCHAR columns c0, c1, …: every line, or a duckdb.Error."""
        types = ", ".join(f"'c{i}': '{'DOUBLE' if i in numeric else 'VARCHAR'}'" for i in range(width))
        con.execute(
            f"create or replace temp table t as from read_csv({_file(self.source)}, {self.options()}, "
            f"auto_detect=false, delim={_text(self.delimiter or ',')}, header={self.header}, skip={self.skip}, "
            f"hive_partitioning=false, columns={{{types}}})"
        )

    def records(self) -> Iterator[tuple[int, list[str]]]:
        """(line number, fields) of every line that is not blank, by Python's own reader: to say where, not what."""
        if self.path.suffix.lower() == ".zst":
            return
        with _open(self.path) as file, io.TextIOWrapper(file, self.encoding, newline="") as text:
            for _ in range(self.skip):
                text.readline()
            reader = csv.reader(text, delimiter=self.delimiter or ",", strict=True)
            line = self.skip + 1
            for fields in reader:
                if fields:
                    yield line, fields
                line = self.skip + reader.line_num + 1

    def wide(self, name: str) -> bool:
        """Whether the first line, or all lines below it, have several fields; `name` is the one column's."""
        if self.path.suffix.lower() == ".zst":
            return bool(re.search(r"[,;\t|]", name))
        try:
            widths = (len(fields) for _, fields in self.records())
            if next(widths, 0) > 1:
                return True
            for mark in ",;\t|":
                widths = (len(fields) for _, fields in replace(self, delimiter=mark).records())
                next(widths, 0)
                if next(widths, 0) > 1 and min(widths, default=2) > 1:
                    return True
        except csv.Error:
            return True
        return False

    def ragged(self) -> str | None:
        """The first line that does not fit the first one, as a sentence without the file's name."""
        width, top, line = 0, 0, self.skip
        try:
            for line, fields in self.records():
                width, top = width or len(fields), top or line
                if len(fields) != width and not (len(fields) == width + 1 and not fields[-1]):
                    return f"line {line} has {len(fields)} fields where line {top} has {width}"
        except csv.Error:
            return f"a quote that opens after line {line} is never closed, or is followed by text"
        return None

    def fault(self, message: str) -> ValueError:
        """One sentence on the first line that is wrong; `message` is DuckDB's."""
        try:
            sentence = self.ragged()
        except UnicodeDecodeError:
            with _open(self.path) as lines:
                number, line = next((n, line) for n, line in enumerate(lines, 1) if not _is_utf8(line))
            other = "utf-16" if line[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "latin-1 or cp1252"
            sentence = f"line {number} is not UTF-8 text ({line.strip()[:40]!r}); try --encoding {other}"
        if sentence is None and self.path.suffix.lower() != ".zst":
            with _open(self.path) as lines:
                if len({line.endswith(b"\r\n") for line in lines if line.endswith(b"\n")}) > 1:
                    sentence = "some lines end with CRLF, others with LF; make them alike"
        if sentence is None:
            found = re.search(r"Line: (\d+)", message)
            place = f"line {found[1]}" if found else "a line"
            counts = re.search(r"Expected Number of Columns: (\d+) Found: (\d+)", message)
            wrong = f"has {counts[2]} fields, not {counts[1]}" if counts else "does not fit the others"
            sentence = f"{place} {wrong}, or has a quote too many"
        return ValueError(f"{self.path}: {sentence}")

    def place(self, row: int) -> str:
        """'line 30' of the file for a row, counted from 0; 'row 29' where lines cannot be counted."""
        with suppress(csv.Error, UnicodeError, OSError):
            for number, (line, _) in enumerate(self.records(), -int(bool(self.header))):
                if number == row:
                    return f"line {line}"
        return f"row {row + 1}"

    def notes(self, names: list[str]) -> list[str]:
        """What was decided about the top of the file."""
        notes = []
        if self.skip:
            notes.append(f"the table begins on line {self.skip + 1}; what is above was skipped")
        if not self.header:
            notes.append(f"there is no header line; the columns are named {names[0]}, … {names[-1]}")
        else:
            with suppress(csv.Error):
                fields = next(self.records(), (0, []))[1]
                pairs = [(field.strip(), name) for field, name in zip(fields, names, strict=False)]
                notes += [f"the column headed {field!r} is called {name!r}" for field, name in pairs if field != name]
        return notes


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


# ── what a column of text is ──

ZONE = r"\d:\d\d.*(Z|[+-]\d\d(:?\d\d)?)$"
ISO = r"^\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T]\d|\s*$)"
DATE = r"^\s*(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](\d{4}|\d{2}))([ T]\d.*|\s*)$"
SEPARATED = r"\s*[+-]?(\d{1,3}(,\d{3})+(\.\d*)?|\d{1,3}(\.\d{3})+,\d+|\d+,\d+)\s*"
TIMES = ("%H:%M", "%H:%M:%S", "%H:%M:%S.%f", "%I:%M %p", "%I:%M:%S %p")


def _as_timestamp(c: str, form: str) -> str:
    """SQL for a text column as TIMESTAMP, NULL where it is none; the format '' is ISO 8601, with zones to UTC."""
    if not form:
        zoned = f"when regexp_matches({c}, '{ZONE}') then make_timestamp(epoch_us(try_cast({c} as timestamptz)))"
        return f"case when not regexp_matches({c}, '{ISO}') then null {zoned} else try_cast({c} as timestamp) end"
    forms = [form] + [f"{form} {time}" for time in TIMES if not re.search("%[HIcX]", form)]
    parsed = f"try_strptime(trim({c}), [{', '.join(map(_text, forms))}])"
    return f"case when year({parsed}) between 1000 and 9999 then {parsed} end"  # %Y would take 24 for the year 24


@dataclass(frozen=True)
class _Judge:
    """Says by all rows what the text column c{i} of the table t is. Without a `decimal`, texts are no numbers."""

    con: Any
    path: str
    formats: dict[str, str]
    categorical: Collection[str]
    needed: Collection[str] | None
    place: Place = "row {}".format
    decimal: str = ""
    thousands: str | None = None

    def decide(self, i: int, name: str, notes: list[str], date_formats: dict[str, str]) -> str:
        """SQL that makes the column a number, a date or leaves it text. ValueError where a few values stand against."""
        c = f"c{i}"
        if name in self.categorical:
            return c
        given = self.formats.get(name, self.formats.get(""))
        number, value = self.number(c)
        kinds = (
            number,
            rf"{number} and regexp_matches({c}, '^\s*[+-]?0\d')",
            rf"regexp_full_match({c}, '\s*[+-]?\d+\s*')",
            rf"regexp_full_match({c}, '\s*[+-]?\d{{16,}}\s*') and abs(try_cast({c} as double)) >= {EXACT:.0f}",
            f"not {number} and regexp_full_match({c}, '{SEPARATED}')" if self.decimal == "." else "false",
            f"regexp_matches({c}, '{DATE}')" if not given else f"{_as_timestamp(c, given)} is not null",
        )
        counts = _row(self.con, ", ".join([f"count({c})", *(f"count(*) filter (where {kind})" for kind in kinds)]))
        n, numbers, zeros, whole, large, separated, dates = counts
        strict = self.needed is None or name in self.needed
        likely = n and dates == n if given else dates > n / 2
        if likely and (sql := self.date(c, name, given, n, strict, notes, date_formats)):
            return sql
        if not self.decimal or zeros:  # 00123 is a code
            return c
        if numbers == n:
            if large and whole == n:
                notes.append(IDENTIFIERS.format(name))
                return c
            return value
        if strict and separated and numbers + separated > n / 2:
            _, shown = self.against(c, f"not ({number})")[0]
            raise ValueError(
                f"{self.path}: column {name!r}: {shown!r} looks like a number with a thousands or decimal separator; "
                f"say which (--thousands , or --decimal ,), or take the column as categories (--categorical {name})"
            )
        if strict and numbers > n / 2:
            raise self.mixed(c, name, _count(numbers, "number"), number)
        if numbers >= n / 10:
            both = f"{_count(n - numbers, 'text')} and {_count(numbers, 'number')}"
            notes.append(f"column {name!r} holds {both}: it is taken as text")
        return c

    def number(self, c: str) -> tuple[str, str]:
        """SQL: whether a text is a number, and that number."""
        point, comma = re.escape(self.decimal or "."), re.escape(self.thousands or "")
        whole = rf"(\d+|\d{{1,3}}({comma}\d{{3}})+)" if comma else r"\d+"
        pattern = rf"\s*[+-]?({whole}({point}\d*)?|{point}\d+)([eE][+-]?\d+)?\s*|\s*[+-]?(?i:inf|infinity|nan)\s*"
        plain = f"replace({c}, {_text(self.thousands)}, '')" if self.thousands else c
        value = f"try_cast(replace({plain}, {_text(self.decimal)}, '.') as double)"
        return f"regexp_full_match({c}, {_text(pattern)})", value

    def date(
        self, c: str, name: str, given: str | None, n: int, strict: bool, notes: list[str], date_formats: dict[str, str]
    ) -> str | None:
        """SQL that makes a text column a date, by the format that fits; None where none fits half of the rows."""
        forms = [given] if given else [""]
        if not given:
            shown = _row(self.con, c, f"where regexp_matches({c}, '{DATE}') limit 1")[0]
            first, mark, rest = re.match(r"\s*(\d+)([-/.])\d+[-/.](\d+)", shown).groups()  # type: ignore[union-attr]
            year = "%Y" if len(rest) == 4 else "%y"
            if len(first) == 4:
                forms = [f"%Y{mark}%m{mark}%d"] if mark == "." else [""]
            else:
                forms = [f"%d{mark}%m{mark}{year}", f"%m{mark}%d{mark}{year}"]
        sql = [_as_timestamp(c, form) for form in forms]
        fits = _row(self.con, ", ".join(f"count({each})" for each in sql))
        best = max(range(len(forms)), key=fits.__getitem__)
        if fits[best] <= n / 2:
            return None
        if fits[best] < n:
            if strict:
                raise self.mixed(c, name, _count(fits[best], "date"), f"{sql[best]} is not null")
            return None
        if forms[best]:
            date_formats[name] = forms[best]
        if fits == (n, n) and (shown := _row(self.con, c, f"where {sql[0]} <> {sql[1]} limit 1")):
            notes.append(
                f"column {name!r}: {shown[0]!r} is read as day, month, year; month, day, year would fit every row as "
                f"well (--date-format {forms[1]})"
            )
        return sql[best]

    def against(self, c: str, condition: str) -> list[tuple[int, str]]:
        """(first row, value) of the first few different values for which the condition holds."""
        query = f"select min(rowid), {c} from t where {c} is not null and {condition} group by {c} order by 1 limit 4"
        return [(row, value) for row, value in self.con.execute(query).fetchall()]

    def mixed(self, c: str, name: str, counted: str, condition: str) -> ValueError:
        (row, value), *more = self.against(c, f"not ({condition})")
        return _mixed(self.path, name, counted, value, [other for _, other in more], self.place(row))


# ── JSON lines and Parquet ──


def _read_json(judge: _Judge, path: Path, nulls: set[str]) -> Frame:
    """Objects with a key for each column: one a line, or an array of them in a .json file."""
    import duckdb

    con, columns, notes, date_formats = judge.con, dict[str, Array](), list[str](), dict[str, str]()
    lines = ".json" not in (suffix.lower() for suffix in path.suffixes)
    shape = "newline_delimited" if lines else "auto"
    place: Place = lambda row: _json_line(path, row)  # noqa: E731
    try:
        texts = con.execute(f"select cast(json as varchar) from read_json_objects({_file(path)}, format='{shape}')")
        records = [json.loads(text) for (text,) in texts.fetchall()]
    except (duckdb.Error, json.JSONDecodeError) as error:
        raise ValueError(f"{path}: {_bad_json(path) or _first_line(error)}") from None
    if not records:
        raise ValueError(f"{path} has no rows")
    for row, record in enumerate(records):
        if not isinstance(record, dict):
            raise ValueError(f"{path}: {place(row)} is not an object with a key for each column")
    for name in dict.fromkeys(name for record in records for name in record):
        cells = [None if isinstance(v := record.get(name), str) and v in nulls else v for record in records]
        free = judge.categorical if judge.needed is None or name in judge.needed else (name,)
        columns[name] = as_column(name, cells, categorical=free, place=place, path=str(path), notes=notes)
    names = [name for name, values in columns.items() if kind_of(values) == "text"]
    if data := {f"c{i}": columns[name] for i, name in enumerate(names)}:  # noqa: F841
        con.execute("create temp table t as from data")  # DuckDB finds the dict by its name
        judge = replace(judge, place=place)
        columns |= _fetch(con, names, [judge.decide(i, name, notes, date_formats) for i, name in enumerate(names)])
    return Frame(columns, notes, str(path), place, date_formats)


def _json_line(path: Path, row: int) -> str:
    """'line 30' of a file with one object a line, for a row counted from 0; else 'row 29'."""
    with suppress(ValueError, OSError), _open(path) as file:
        filled = (number for number, line in enumerate(file, 1) if line.strip())
        lines = [number for _, number in zip(range(row + 1), filled, strict=False)]
        with _open(path) as again:
            if len(lines) == row + 1 and again.read(1) != b"[":
                return f"line {lines[row]}"
    return f"row {row + 1}"


def _bad_json(path: Path) -> str | None:
    """The first line that is not JSON, as a sentence, where a line is an object."""
    with suppress(ValueError, OSError), _open(path) as file:
        for number, line in enumerate(file, 1):
            try:
                json.loads(line.strip() or "null")
            except json.JSONDecodeError as error:
                return f"line {number} is not JSON: {error.msg} at character {error.pos + 1}"
    return None


def _read_parquet(con: Any, path: Path, nulls: set[str]) -> Frame:
    source = f"read_parquet({_file(path)}, hive_partitioning=false)"
    described = [(name, kind) for name, kind, *_ in con.execute(f"describe select * from {source}").fetchall()]
    quoted = ['"' + name.replace('"', '""') + '"' for name, _ in described]
    wide = {i: quoted[i] for i, (_, kind) in enumerate(described) if re.fullmatch("U?(BIG|HUGE)INT", kind)}
    rounded = _rounded(con, wide, source)
    sql = []
    for i, (c, (name, kind)) in enumerate(zip(quoted, described, strict=True)):
        text = f"cast({c} as varchar)"
        if NUMBERS.fullmatch(kind) or "NULL" in kind:
            sql.append(text if i in rounded else f"cast({c} as double)")
        elif re.match("VARCHAR|ENUM|UUID", kind):
            sql.append(f"case when {text} not in ({', '.join(map(_text, nulls))}) then {text} end" if nulls else text)
        elif kind == "TIMESTAMP WITH TIME ZONE":
            sql.append(f"make_timestamp(epoch_us({c}))")
        elif re.match("DATE|TIMESTAMP|BOOLEAN", kind):
            sql.append(c if kind == "BOOLEAN" else f"cast({c} as timestamp)")
        else:
            raise ValueError(f"{path}: column {name!r} is a {kind}; numbers, texts, truth values and dates are read")
    columns = _fetch(con, [name for name, _ in described], sql, source)
    notes = [IDENTIFIERS.format(described[i][0]) for i in sorted(rounded)]
    frame = Frame(columns, notes, str(path), lambda row: f"row {row + 1}")
    if not frame.n_rows:
        raise ValueError(f"{path} has no rows")
    return frame


# ── writing ──


def to_csv_text(frame: Frame, delimiter: str = ",") -> Iterator[str]:
    """The table as text, header first, some thousand rows at a time; a missing value is an empty field."""
    # csv.writer leaves a lone carriage return unquoted, and so unreadable.
    odd = re.compile(rf'[{re.escape(delimiter)}"\r\n]|^#|^\s|\s$' + ("|^$" if len(frame.columns) == 1 else ""))

    def quoted(cell: str) -> str:
        return '"' + cell.replace('"', '""') + '"' if odd.search(cell) else cell

    def cells(values: Array) -> Iterator[str]:
        spelled = map(spelling, _cells(values))
        return map(quoted, spelled) if values.dtype == object or len(frame.columns) == 1 else spelled

    yield delimiter.join(map(quoted, frame.names)) + "\n"
    for start in range(0, frame.n_rows, 4096):
        columns = [cells(values[start : start + 4096]) for values in frame.columns.values()]
        yield "".join(delimiter.join(row) + "\n" for row in zip(*columns, strict=True))


def to_json_text(frame: Frame) -> Iterator[str]:
    """The table as JSON lines; a missing value is null, a whole number has no point, a date is ISO text."""

    def plain(value: Any) -> Any:
        if value is None or value != value:
            return None
        whole = isinstance(value, float) and abs(value) < EXACT and value == int(value)
        return spelling(value) if isinstance(value, np.datetime64) else int(value) if whole else value

    for row in zip(*(map(plain, _cells(values)) for values in frame.columns.values()), strict=True):
        yield json.dumps(dict(zip(frame.columns, row, strict=True)), ensure_ascii=False) + "\n"


def _cells(values: Array) -> Any:
    return values if values.dtype.kind == "M" else values.tolist()  # tolist() of dates would be datetimes or integers


def write_table(path: str | os.PathLike[str], frame: Frame) -> None:
    """The frame as CSV, TSV, JSON lines (each also .gz) or Parquet, by the ending; it appears whole or not at all."""
    path = Path(os.path.realpath(path))  # through a link, not over it
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = bool(suffixes) and suffixes[-1] == ".gz"
    ending = suffixes[-1 - packed] if len(suffixes) > packed else ""
    form = FORMATS.get(ending)
    if form is None or (packed and form == "parquet"):
        raise ValueError(f"{path}: the ending tells the format; known are {', '.join(FORMATS)}, text also .gz")
    if path.is_dir():
        raise IsADirectoryError(f"{path} is a directory; name a file in it")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"there is no directory {path.parent} to write {path.name} in")
    partial = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if form == "parquet":
            _write_parquet(partial, frame)
        else:
            text = to_json_text(frame) if form == "json" else to_csv_text(frame, "\t" if ending == ".tsv" else ",")
            with gzip.open(partial, "wb") if packed else partial.open("wb") as file:
                file.writelines(piece.encode() for piece in text)
        partial.replace(path)
    except PermissionError:
        raise PermissionError(f"{path} may not be written: permission denied") from None
    finally:
        partial.unlink(missing_ok=True)


def _write_parquet(path: Path, frame: Frame) -> None:
    import duckdb

    data, sql = {}, []
    for i, (name, values) in enumerate(frame.columns.items()):
        kind, c = kind_of(values), f"c{i}"
        # Truth values go as numbers, since DuckDB tells the type of an object array by a few of its values.
        data[c] = np.array([np.nan if v is None else v for v in values], np.float64) if kind == "truth" else values
        as_type = {"text": f"cast({c} as varchar)", "date": c}.get(kind, f"case when not isnan({c}) then {c} end")
        as_type = f"cast({as_type} as boolean)" if kind == "truth" else as_type
        sql.append(as_type + ' as "' + name.replace('"', '""') + '"')
    with duckdb.connect(config={"threads": 2}) as con:
        con.execute(f"copy (select {', '.join(sql)} from data) to {_text(str(path))} (format parquet)")
