"""CSV files at their edges: long cells, many columns, what is above a table, and each fault told by its line."""

import csv
import gzip
import io
import threading

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netwright.tables import csv_columns, packed
from netwright.tables.csv_records import records
from netwright.tables.frame import Frame
from netwright.tables.lines import Unreadable
from netwright.tables.read import read_table, write_table

LONG = 200_000  # beyond what Python's csv module takes
LONGER = 2_500_000  # beyond what DuckDB takes unless told


@pytest.fixture(params=["small", "large"])
def way(request, monkeypatch):
    """Both ways of reading: by Python, and by DuckDB."""
    if request.param == "large":
        monkeypatch.setattr(csv_columns, "SMALL", 0)
        monkeypatch.setattr(csv_columns, "WIDE_SMALL", 0)
        monkeypatch.setattr(csv_columns, "WIDEST", 10**9)
    return request.param


def table(n=12, **changed):
    """A header and n rows; `line5="…"` is another text for that line."""
    lines = ["v,t,y", *(f"{i}.5,t{i},{i % 2}" for i in range(n))]
    for key, text in changed.items():
        lines[int(key.removeprefix("line")) - 1] = text
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("size", [LONG, LONGER])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
@pytest.mark.parametrize(("line", "more"), [(1, ""), (2, ""), (2, '\n, "'), (9, '\n, "'), (13, "")])
def test_cells_of_any_length(file, way, size, name, line, more):
    cell = "x" * size + more
    if more:
        cell = '"' + cell.replace('"', '""') + '"'
    frame = read_table(file(table(**{f"line{line}": f"v,{cell},y" if line == 1 else f"1,{cell},1"}), name))
    assert frame.n_rows == 12
    assert [frame.kind(each) for each in frame.names] == ["number", "text", "number"]
    longest = max([frame.names[1], *frame.column(frame.names[1])], key=len)
    assert longest == "x" * size + more


def test_a_long_cell_is_cut_in_a_message(file, way):
    with pytest.raises(ValueError, match=r"column 'v': 11 numbers, then 'x+\.\.\. on line 5") as error:
        read_table(file(table(line5=f"{'x' * LONG},a,1")))
    assert len(str(error.value)) < 500


def test_the_limit_of_the_csv_module_is_left_alone(file):
    before = csv.field_size_limit()
    read_table(file(table(line5=f"1,{'x' * LONG},1")))
    assert csv.field_size_limit() == before


FAULTS = {  # what line 9 is, and what is said
    "too many": ("1,2,3,4", "line 9 has 4 fields where line 1 has 3"),
    "too few": ("1,2", "line 9 has 2 fields where line 1 has 3"),
    "spaces": ("   ", "line 9 has 1 fields where line 1 has 3"),
    "unclosed quote": ('1,"x,1', "a quote that opens on line 9 is never closed"),
    "text after a quote": ('1,"x"y,1', "line 9: 'y,1' follows the quote that closes a field"),
    "text after a quote further down": ('1,"x\n,2"y,1', "line 10: 'y,1' follows .*opened on line 9"),
    "another encoding": ("1,café,1".encode("latin-1"), r"line 9 is not UTF-8 text .*try --encoding latin-1"),
    "CRLF": ("1,x,1\r", "some lines end with CRLF, as line 9 does, others with LF"),
    "CR alone": ("1,x\r,1", "some lines end with CR alone, as line 9 does, others with LF"),
    "a text": ("oops,x,1", "column 'v': 11 numbers, then 'oops' on line 9"),
    "a mark in the middle": ("\ufeff1,x,1", r"column 'v': 11 numbers, then '\\ufeff1' on line 9"),
    "NUL": ("1\0,x,1", r"column 'v': 11 numbers, then '1\\x00' on line 9"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("long", [0, 4, 11])
def test_the_first_wrong_line_is_named(file, way, fault, long):
    text, said = FAULTS[fault]
    lines = table(line9="…", **({f"line{long}": f"1,{'x' * LONG},1"} if long else {})).encode()
    path = file(lines.replace("…".encode(), text if isinstance(text, bytes) else text.encode()))
    with pytest.raises(ValueError, match=said) as error:
        read_table(path)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


@pytest.mark.parametrize(
    "text", ["v,t\r1,x\r2,y\r", "v,t\r\n\r\n1,x\r\n\r\n2,y\r\n\r\n", "\ufeffv,t\n1,x\n2,y", "v,t\n1,x,\n2,y,\n"]
)
def test_line_ends_and_what_is_empty(file, way, text):
    frame = read_table(file(text))
    assert (frame.names, frame.column("v").tolist(), frame.column("t").tolist()) == (["v", "t"], [1, 2], ["x", "y"])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "latin-1", "shift-jis"])
def test_other_encodings_and_a_long_cell(file, way, encoding):
    path = file(table(line4=f"1,{'x' * LONG},1").encode(encoding))
    frame = read_table(path, encoding=encoding)
    assert len(frame.column("t")[2]) == LONG
    assert frame.place(3) == "line 5"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_text_in_utf_16_is_told(file, encoding):
    path = file("v,t\n1,x\n".encode(encoding))
    with pytest.raises(ValueError, match=rf"line 1 .*; try --encoding {encoding}$"):
        read_table(path)
    assert read_table(path, encoding=encoding).names == ["v", "t"]


def test_a_packed_file_of_nothing(file):
    for text in ("", "\n\n"):
        with pytest.raises(ValueError, match=r"t.csv.gz: the file has no table"):
            read_table(file(text, "t.csv.gz"))


@pytest.mark.parametrize(
    ("encoding", "content", "said"),
    [
        ("shift-jis", b"v,t\n1,x\n2,\xff\xff\n", r"line 3 is not text in shift_jis \(b'2,\\xff\\xff"),
        ("ascii", b"v,t\n1,x\n2,\xff\xff\n", r"line 3 is not UTF-8 text"),
        ("utf-16", "v,t\n1,x\n2,y\n".encode("utf-16")[:-1], "utf-16"),
    ],
)
def test_bytes_that_are_no_text_in_the_encoding_asked_for(file, way, encoding, content, said):
    with pytest.raises(ValueError, match=said):
        read_table(file(content), encoding=encoding)


# ── Excel's line, lines to skip, a line of units ──

BODY = "a;b;y\n1,5;x;0\n2,5;y;1\n"


@pytest.mark.parametrize(
    "said", ["sep=;", '"sep=;"', "SEP=;", "Sep=;", "sep=;;;", "\ufeffsep=;", "# hello\nsep=;", "\nsep=;"]
)
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_for_excel_says_the_delimiter_and_is_no_row(file, way, said, end):
    frame = read_table(file(f"{said}\n{BODY}".replace("\n", end)), decimal=",")
    assert (frame.names, frame.column("a").tolist()) == (["a", "b", "y"], [1.5, 2.5])
    assert frame.place(1) == f"line {4 + said.count(chr(10))}"


@pytest.mark.parametrize(
    ("text", "options", "names"),
    [
        ("sep=\t\na\tb;c\n1\tx\n", {}, ["a", "b;c"]),
        ("sep=\\t\na\tb;c\n1\tx\n", {}, ["a", "b;c"]),
        ("sep= \na b,c\n1 x\n", {}, ["a", "b,c"]),
        ("sep=~\na~b,c\n1~x\n", {}, ["a", "b,c"]),
        ("sep=;\na,b\n1,x\n", {"delimiter": ","}, ["a", "b"]),  # who asks for another has it
        ("sep=,,,\na,b,c\n1,x,y\n", {}, ["a", "b", "c"]),
        ("sep=\na;b\n1;x\n", {}, ["a", "b"]),
        ("separate,sep=;\n1,x\n", {}, ["separate", "sep=;"]),
    ],
)
def test_what_a_line_for_excel_may_say(file, text, options, names):
    assert read_table(file(text), **options).names == names


def test_a_line_for_excel_counts_more_than_the_ending(file):
    assert read_table(file("sep=;\na;b\n1;x\n", "t.tsv")).names == ["a", "b"]
    assert read_table(file("sep=;\na,b\n1,x\n", "t.tsv"), delimiter=",").names == ["a", "b"]


@pytest.mark.parametrize("above", ["Report,of,today", "1,2,3", '"unclosed', "a;b", "", "x\r", "# v"])
def test_lines_to_skip(file, way, above):
    path = file(f"{above}\n\n" + table(line5="1.5,oops,1,2"))
    with pytest.raises(ValueError, match="line 7 has 4 fields where line 3 has 3"):
        read_table(path, skip_lines=2)
    frame = read_table(file(f"{above}\n\n" + table()), skip_lines=2)
    assert (frame.names, frame.n_rows, frame.place(0)) == (["v", "t", "y"], 12, "line 4")
    assert frame.notes == ["the table begins on line 3; what is above was skipped"]


@pytest.mark.parametrize(
    ("text", "options", "said"),
    [
        (table(), {"skip_lines": 13}, "the file has 13 lines, and skip_lines=13 leaves none of them"),
        (table(), {"skip_lines": 99}, "the file has 13 lines, and skip_lines=99 leaves none of them"),
        (table(), {"skip_lines": -1}, "skip_lines must be a whole number of at least 0, got -1"),
        (table(), {"skip_lines": 1.5}, "skip_lines must be a whole number"),
        ("A title\n" + table(), {}, "line 2 has 3 fields where line 1 has 1; .*--skip-lines 1$"),
        ("A title, of\n\n" + table(), {}, "line 3 has 3 fields where line 1 has 2; .*--skip-lines 2$"),
        ("A title, of\nmany\nlines\n" + table(), {}, "line 2 has 1 fields where line 1 has 2; .*--skip-lines 3$"),
        (table(line2="1,2,3,4"), {}, "line 2 has 4 fields where line 1 has 3$"),
        ("A title\nand another\n\n" + table(), {}, "line 4 has 3 fields where line 1 has 1; .*--skip-lines 3$"),
    ],
)  # fmt: skip
def test_what_is_said_of_lines_above_a_table(file, way, text, options, said):
    with pytest.raises(ValueError, match=said):
        read_table(file(text), **options)


@pytest.mark.parametrize("units", ["kg,-,m", "kg,,", '"kg, dry",text,"m\n/s"', "1,-,m/s", "[kg],[],[1]", "%,%,%"])
@pytest.mark.parametrize("above", ["", "# from the laboratory\n"])
def test_a_line_of_units_is_skipped_and_told(file, way, units, above):
    text = f"{above}v,t,y\n{units}\n" + table().partition("\n")[2]
    frame = read_table(file(text), units_line=True)
    line = 2 + bool(above)
    assert [frame.kind(name) for name in frame.names] == ["number", "text", "number"]
    assert frame.n_rows == 12
    assert frame.place(0) == f"line {line + 1 + units.count(chr(10))}"
    assert any(note.startswith(f"line {line} was skipped, as it holds the units: ") for note in frame.notes)
    if "1" not in units:
        with pytest.raises(ValueError, match=rf"on line {line}.*; a line of units .* is skipped with --units-line"):
            read_table(file(text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("1,2\n3,4\n", "units_line is the line below a header, and line 1 is none"),
        (table(), "and line 2 holds '0.5'; leave it out"),
        ("a,b\n", "has a header and no rows|holds none"),
        ("a,b\nkg,m\n", "has a header and no rows"),
        ("a,b\nkg\n1,2\n", "line 2"),
    ],
)
def test_units_that_are_none_cost_no_row(file, way, text, said):
    with pytest.raises(ValueError, match=said):
        read_table(file(text), units_line=True)


def test_lines_are_a_matter_of_csv(tmp_path):
    for name in ("t.parquet", "t.jsonl"):
        write_table(tmp_path / name, Frame.from_arrays({"a": [1]}))
        for options in ({"skip_lines": 1}, {"units_line": True}):
            with pytest.raises(ValueError, match="are about the lines of a CSV file"):
                read_table(tmp_path / name, **options)


# ── the two ways of reading are one ──

CELLS = st.sampled_from([
    *("", "1", "2.5", "-0", "-007", "007", "0.5", "0", ".5", "5.", "1e3", "1E+3", "-1e-3", "+1", " 1", "1 ", "x", "é"),
    *("1_0", "9007199254740993", "1e99", "1e999", "inf", "nan", "0x10", "1,5", "2024-01-01", "01/02/2024", "00"),
    *('"1"', '"a,b"', '"a\nb"', '""', '"1\n2"', 'a"b', '"a""b"', "0.", "-.5", "--1", "1e", "12345678901234567890"),
    *("0e5", "1.2.3", "NA", "-", ' "x"', '"x" ', "1,234", "1,234.5"),
])  # fmt: skip
OPTIONS = [{}, {"decimal": ","}, {"thousands": ","}, {"categorical": ["a", "b"]}, {"needed": []}, {"nulls": ["1", ""]}]


def read_all_ways(path, **options):
    """What Python, a few rows at a time too, and DuckDB make of a file: its columns and notes, or the error."""
    found = []
    for most, block in ((10**9, 10**6), (10**9, 4), (0, 10**6)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(csv_columns, "SMALL", most)
            patch.setattr(csv_columns, "BLOCK", block)
            try:
                frame = read_table(path, **options)
                columns = {name: [v if v == v else None for v in c.tolist()] for name, c in frame.columns.items()}
                found.append((columns, [c.dtype for c in frame.columns.values()], frame.notes, frame.date_formats))
            except ValueError as error:
                found.append(str(error))
    return found


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.lists(CELLS, min_size=2, max_size=4), min_size=2, max_size=6),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.sampled_from(OPTIONS),
    st.booleans(),
)
def test_small_and_large_files_are_read_alike(tmp_path, rows, end, options, alike):
    width = len(rows[0])
    rows = [row[:width] + ["7"] * (width - len(row)) for row in rows] if alike else rows
    text = end.join([";".join("abcd"[:width]), *(";".join(row) for row in rows)]) + end
    (tmp_path / "t.csv").write_bytes(text.encode())
    first, *others = read_all_ways(tmp_path / "t.csv", delimiter=";", header=True, **options)
    assert others == [first] * 2


@settings(max_examples=300, deadline=None)
@given(st.text('ab1,"\n\r', max_size=30))
def test_records_are_those_of_the_csv_module(text):
    """But for line ends of two kinds, which are refused."""
    try:
        found = [fields for _, fields in records(io.StringIO(text, newline=""), ",")]
    except Unreadable as error:
        found = "line ends" if "some lines end" in str(error) else "error"
    try:
        expected = [fields for fields in csv.reader(io.StringIO(text, newline=""), strict=True) if fields]
    except csv.Error:
        expected = "error"
    assert found in (expected, "line ends")


def test_threads_read_long_cells_at_once(file):
    path, frames = file(table(line5=f"1,{'x' * LONG},1")), []
    threads = [threading.Thread(target=lambda: frames.append(read_table(path))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(frame.column("t")[3]) for frame in frames] == [LONG] * 4


# ── packed files that swell ──


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv.zst", "t.jsonl.gz", "t.parquet"])
@pytest.mark.parametrize("limit", ["times", "memory"])
def test_packed_files_that_swell_are_refused_with_their_sizes(tmp_path, monkeypatch, name, limit):
    rows = 3_000_000
    path = tmp_path / name
    if name.endswith(".jsonl.gz"):
        path.write_bytes(gzip.compress(b'{"a": 1}\n' * rows))
    elif name.endswith(".gz"):
        path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * rows))
    else:
        form = "parquet" if name.endswith("parquet") else "csv"
        copy = f"copy (select 1 as a, 2 as b from range({rows})) to '{path}' (format {form}, compression zstd)"
        duckdb.connect().execute(copy)
    if limit == "memory":
        monkeypatch.setattr(packed, "memory", lambda: 2**22)
    else:
        monkeypatch.setattr(packed, "HARMLESS", 2**20)
    said = r"half of the memory, 2 MiB" if limit == "memory" else r"100 times its [\d.]+ KiB"
    with pytest.raises(
        ValueError, match=rf"{name}: [\d.]+ KiB (unpack to|become a table of) [\d.]+ MiB or more, above {said}"
    ):
        read_table(path)


def test_a_text_that_parquet_holds_once_and_a_table_in_every_row(tmp_path, monkeypatch):
    monkeypatch.setattr(packed, "memory", lambda: 2**23)
    path = tmp_path / "t.parquet"
    duckdb.connect().execute(f"copy (select repeat('x', 1000) as a from range(10000)) to '{path}'")
    with pytest.raises(ValueError, match=r"become a table of 10.1 MiB or more, above half of the memory, 4 MiB"):
        read_table(path)


# ── names in Parquet ──


def test_names_that_differ_in_case_survive(tmp_path):
    frame = Frame.from_arrays({"a": [1.0, 2.0], "A": ["x", "y"], "A_1": [3.0, 4.0], "é": [5.0, 6.0], "É": [7.0, 8.0]})
    for ending in ("csv", "tsv", "csv.gz"):
        write_table(tmp_path / f"t.{ending}", frame)
        again = read_table(tmp_path / f"t.{ending}")
        assert again.names == frame.names, ending
        for name in frame.names:
            assert again.column(name).tolist() == frame.column(name).tolist()
    for ending in ("parquet", "jsonl"):
        with pytest.raises(ValueError, match=rf"t.{ending}: a column has no name; give it one, or write CSV"):
            write_table(tmp_path / f"t.{ending}", Frame.from_arrays({"": [1.0], "b": [2.0]}))
        write_table(tmp_path / f"t.{ending}", Frame.from_arrays({"é": [5.0, 6.0], "É": [7.0, 8.0]}))
        assert read_table(tmp_path / f"t.{ending}").names == ["é", "É"]


def test_names_in_parquet_are_the_files_own(tmp_path):
    nested = pa.array([{"a": 1, "A": {"b": 2}}] * 2)
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"a": [1.0, 2.0], "A": [3.0, 4.0], " a": ["x", "y"], "": [5, 6]}), path)
    assert read_table(path).names == ["a", "A", " a", ""]
    pq.write_table(pa.table({"a": [1.0, 2.0], "s": nested, "A": [3.0, 4.0]}), path)
    with pytest.raises(ValueError, match="column 's', row 1: a dict in a cell"):
        read_table(path)
    pq.write_table(pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["a", "a"]), path)
    with pytest.raises(ValueError, match="column 'a' is there more than once"):
        read_table(path)


def test_a_wide_file_takes_python_alone(file, monkeypatch):
    monkeypatch.setattr(csv_columns.sql, "Database", None)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, 3000)).round(3)
    text = "\n".join([",".join(f"c{j}" for j in range(3000)), *(",".join(map(str, row)) for row in X)])
    frame = read_table(file(text))
    np.testing.assert_array_equal(np.transpose(list(frame.columns.values())), X)
