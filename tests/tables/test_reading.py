"""Reading: the nasty CSV files that readers get wrong without a word, and the same table from and to every format."""

import csv
import gzip
import io
import time

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from netwright.tables import csv_columns
from netwright.tables.column import spelling
from netwright.tables.frame import Frame
from netwright.tables.read import read_table, to_csv_text, write_table

NAN = float("nan")
BODY = "".join(f"{i},{i}.5,t{i}\n" for i in range(50))


def late(last, first="1"):
    """A file that changes its mind behind the 20 480 rows that DuckDB samples."""
    return "a,b\n" + f"{first},x\n" * 20500 + f"{last},y\n"


def day(text):
    return np.datetime64(text, "us")


def known(values):
    """The values as a list, None for each that is missing."""
    return [None if v is None or v != v else v for v in values]


# name: (content, options, {column: its first values})
RIGHT = {
    "ISO dates": ("d\n2024-01-05\n2024-01-06\n", {}, {"d": [day("2024-01-05"), day("2024-01-06")]}),
    "d/m/y": ("d,x\n13/01/2024,1\n01/02/2024,2\n", {}, {"d": [day("2024-01-13"), day("2024-02-01")]}),
    "m/d/y": ("d,x\n1/13/2024,1\n1/2/2024,2\n", {}, {"d": [day("2024-01-13"), day("2024-01-02")]}),
    "d.m.yy and times": ("d,x\n31.01.24 10:30,1\n1.2.24,2\n", {}, {"d": [day("2024-01-31T10:30"), day("2024-02-01")]}),
    "given date format": ("d,x\n01/02/2024,1\n", {"date_format": "%m/%d/%Y"}, {"d": [day("2024-01-02")], "x": [1]}),
    "date format of one column": (
        "d,e\n01/02/2024,13/01/2024\n", {"date_format": {"d": "%m/%d/%Y"}},
        {"d": [day("2024-01-02")], "e": [day("2024-01-13")]},
    ),
    "dates of digits": ("d\n20240131\n", {"date_format": "%Y%m%d"}, {"d": [day("2024-01-31")]}),
    "time zones": (
        "t,x\n2024-01-01T10:00:00+02:00,1\n2024-01-01T10:00:00Z,2\n", {},
        {"t": [day("2024-01-01T08"), day("2024-01-01T10")]},
    ),
    "true/false": ("a,x\ntrue,1\nfalse,2\n", {}, {"a": ["true", "false"]}),
    "Yes/No": ("a,x\nYes,1\nNo,2\n", {}, {"a": ["Yes", "No"]}),
    "T/F": ("a,x\nT,1\nF,2\n", {}, {"a": ["T", "F"]}),
    "semicolons": ("a;b\n1;x\n2;y\n", {}, {"a": [1, 2], "b": ["x", "y"]}),
    "pipes": ("a|b\n1|x\n2|y\n", {}, {"a": [1, 2], "b": ["x", "y"]}),
    "tabs": ("a\tb\n1\tx\n2\ty\n", {}, {"a": [1, 2], "b": ["x", "y"]}),
    "given delimiter": ("a b\n1 x\n2 y\n", {"delimiter": " "}, {"a": [1, 2], "b": ["x", "y"]}),
    "no header": ("1,x\n2,y\n", {}, {"column0": [1, 2], "column1": ["x", "y"]}),
    "a header of numbers": ("2019,2020\n1,2\n", {"header": True}, {"2019": [1], "2020": [2]}),
    "# preamble": ("# hello\n# world, x\na,b\n1,2\n", {}, {"a": [1], "b": [2]}),
    "#header": ("# hello\n#id,b\n1,2\n3,4\n", {}, {"#id": [1, 3], "b": [2, 4]}),
    "# inside": ("a,b\n1,x#y\n2,#z\n", {}, {"b": ["x#y", "#z"]}),
    "leading zeros": ("zip,x\n00123,1\n12345,2\n", {}, {"zip": ["00123", "12345"]}),
    "thousands": ('a,x\n"1,234.5",1\n"2,000",2\n', {"thousands": ","}, {"a": [1234.5, 2000]}),
    "decimal comma": ("a;x\n1,5;1\n-2,25e1;2\n", {"decimal": ","}, {"a": [1.5, -22.5]}),
    "both": ("a;x\n1.234,5;1\n2,5;2\n", {"decimal": ",", "thousands": "."}, {"a": [1234.5, 2.5]}),
    "null spellings": (
        "a,b\n1,x\nNA,N/A\n?,null\n#N/A,None\n-,NULL\nnan,NaN\n", {},
        {"a": [1] + [NAN] * 5, "b": ["x"] + [None] * 5},
    ),
    "other nulls": ("a,b\n1,NA\n.,y\n", {"nulls": ["."]}, {"a": [1, NAN], "b": ["NA", "y"]}),
    "quoted newlines": ('a,b\n"x\ny",1\n"z ""q""",2\n', {}, {"a": ["x\ny", 'z "q"'], "b": [1, 2]}),
    "BOM": ("\ufeffa,b\n1,2\n", {}, {"a": [1], "b": [2]}),
    "CRLF": ("a,b\r\n1,x\r\n2,y\r\n", {}, {"a": [1, 2], "b": ["x", "y"]}),
    "latin-1, given": ("a,b\n1,café\n".encode("latin-1"), {"encoding": "latin-1"}, {"b": ["café"]}),
    "cp1252, given": ("a,b\n1,x€\n".encode("cp1252"), {"encoding": "cp1252"}, {"b": ["x€"]}),
    "UTF-16, given": ("a,b\n1,é\n".encode("utf-16"), {"encoding": "utf-16"}, {"a": [1], "b": ["é"]}),
    "one field left empty": ("a,b\n1,\n,2\n", {}, {"a": [1, NAN], "b": [NAN, 2]}),
    "blank lines": ("a,b\n\n1,2\n\n3,4\n\n", {}, {"a": [1, 3], "b": [2, 4]}),
    "blank line above": ("\na,b\n1,2\n", {}, {"a": [1], "b": [2]}),
    "duplicate header": ("a,a,a_1,A\n1,2,3,4\n", {}, {"a": [1], "a_1": [2], "a_1_1": [3], "A": [4]}),
    "no name in the header": (",b\n0,x\n", {}, {"column0": [0], "b": ["x"]}),
    "a header with digits": ("1st,2nd\n1,2\n", {}, {"1st": [1], "2nd": [2]}),
    "a header above texts": ("a,b\nx,y\n", {}, {"a": ["x"], "b": ["y"]}),
    "a header above a missing value": ("a,b\nNA,1\n", {}, {"a": [NAN], "b": [1]}),
    "a missing value on top, no header": ("NA,1\n2,3\n", {}, {"column0": [NAN, 2], "column1": [1, 3]}),
    "decimal commas, no header": ("1,5;2\n2,5;3\n", {"decimal": ","}, {"column0": [1.5, 2.5]}),
    "underscores": ("a,b\n1_000,1\n2_000,2\n", {}, {"a": ["1_000", "2_000"]}),
    "no thousands": ('a,b\n"1,5",x\n"2,5",y\n', {"thousands": ",", "categorical": ["a"]}, {"a": ["1,5", "2,5"]}),
    "a value in nothing": ("a,b\n,1\n,2\n", {}, {"a": [NAN, NAN], "b": [1, 2]}),
    "no delimiter at all": ("name\nx\ny, z\nw\n", {}, {"name": ["x", "y, z", "w"]}),
    "a quote inside": ('a,b\n5" pipe,2\n3,4\n', {"categorical": ["a"]}, {"a": ['5" pipe', "3"]}),
    "version numbers": ("v,x\n1.2.3,1\n10.0.1,2\n", {}, {"v": ["1.2.3", "10.0.1"]}),
    "large identifiers": ("id,x\n9007199254740993,1e99\n2,1\n", {}, {"id": ["9007199254740993", "2"], "x": [1e99, 1]}),
    "mixed, as categories": ("a,b\n1,x\n2,y\n3,z\n4+,x\n", {"categorical": ["a"]}, {"a": ["1", "2", "3", "4+"]}),
    "mixed, not needed": ("a,b\n1,x\n2,y\n3,z\nno,x\n", {"needed": ["b"]}, {"a": ["1", "2", "3", "no"]}),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_nasty_files_read_right(file, name):
    content, options, expected = RIGHT[name]
    frame = read_table(file(content), **options)
    for column, values in expected.items():
        got = frame.column(column)
        assert got.dtype.kind == {str: "O", np.datetime64: "M"}.get(type(values[0]), "f")
        assert known(got)[: len(values)] == known(values)


# name: (content, options, words of the one sentence that says what is wrong)
WRONG = {
    "latin-1": ("a,b\n1,café\n".encode("latin-1"), {}, ["line 2", "UTF-8", "--encoding latin-1"]),
    "UTF-16": ("a,b\n1,x\n".encode("utf-16"), {}, ["UTF-8", "--encoding utf-16"]),
    "not that encoding": (b"a,b\n1,\xff\xff\n", {"encoding": "shift-jis"}, ["shift_jis"]),
    "unknown encoding": ("a,b\n1,2\n", {"encoding": "nope"}, ["unknown encoding 'nope'"]),
    "late text": (
        late("oops"), {}, ["column 'a'", "20500 numbers, then 'oops' on line 20502", "--null oops", "--categorical a"],
    ),
    "late text among dates": (late("oops", "2024-01-01"), {}, ["column 'a'", "20500 dates", "'oops' on line 20502"]),
    "early text": ("a,b\n1,2\n3,oops\n5,6\n7,8\n9,n.a.\n", {}, ["3 numbers, then 'oops' on line 3 (and 'n.a.')"]),
    "text below a quoted newline": ('a,b\n"x\ny",1\n"z",oops\n"z",2\n', {}, ["'oops' on line 4"]),
    "text below a blank line": ("a,b\nx,1\n\nz,oops\nz,2\n", {}, ["'oops' on line 4"]),
    "31st of April": ("d,x\n13/01/2024,1\n14/01/2024,1\n31/04/2024,2\n", {}, ["2 dates", "'31/04/2024' on line 4"]),
    "too many": ("a,b,c\n" + BODY + "1,2,3,4\n" + BODY, {}, ["line 52 has 4 fields where line 1 has 3"]),
    "too few": ("a,b,c\n" + BODY + "1,2\n" + BODY, {}, ["line 52 has 2 fields where line 1 has 3"]),
    "too few, delimiter given": ("a,b,c\n" + BODY + "1,2\n", {"delimiter": ","}, ["line 52 has 2 fields"]),
    "too many, late": ("a,b,c\n" + BODY * 450 + "1,2,3,4\n", {}, ["line 22502 has 4 fields where line 1 has 3"]),
    "too few, late": ("a,b,c\n" + BODY * 450 + "1,2\n", {}, ["line 22502 has 2 fields where line 1 has 3"]),
    "short header": ("a,b\n1,2,3\n4,5,6\n", {}, ["line 2 has 3 fields where line 1 has 2"]),
    "title with commas": ("Exported 1,234 rows, today\na,b\n1,2\n", {}, ["line 2 has 2 fields where line 1 has 3"]),
    "title of a short file": ("My title\n\na,b\n1,2\n", {}, ["line 3 has 2 fields where line 1 has 1"]),
    "unclosed quote": ('a,b\n1,"x\n2,y\n3,z\n', {}, ["a quote that opens on line 2"]),
    "unclosed quote, late": ("a,b,c\n" + BODY * 450 + '1,"2,3\n', {}, ["a quote that opens on line 22502"]),
    "CRLF and LF": ("a,b\n1,x\r\n2,y\n", {}, ["some lines end with CRLF"]),
    "empty": ("", {}, ["empty"]),
    "header only": ("a,b,c\n", {}, ["no rows"]),
    "blank lines only": ("\n\n\n", {}, ["no table"]),
    "unsaid thousands": ('a,x\n"1,234.5",1\n200,2\n', {}, ["column 'a'", "'1,234.5'", "--thousands ,"]),
    "unsaid decimal comma": ("a;x\n1,5;1\n2,5;2\n", {}, ["column 'a'", "'1,5'", "--decimal ,"]),
    "no date format": ("d\n1\n", {"date_format": "%Q"}, ["'%Q' is not a date format"]),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_nasty_files_are_refused_in_one_sentence(file, name):
    content, options, words = WRONG[name]
    path = file(content)
    with pytest.raises(ValueError) as error:  # noqa: PT011 - the words are checked below
        read_table(path, **options)
    message = str(error.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert "encoding" in name or name == "no date format" or str(path) in message


def test_late_values_keep_their_worth(file):
    for code in ("00123", " 00123", "9007199254740993", "1_000"):
        assert read_table(file(late(code)), categorical=["a"]).column("a").tolist()[-2:] == ["1", code.strip()]
    assert "begin with 0" in read_table(file(late("00123"))).notes[0]
    assert read_table(file(late("0.5"))).column("a")[-1] == 0.5
    assert read_table(file(late("-0"))).column("a")[-1] == 0
    assert read_table(file(late("1.5"))).column("a")[-1] == 1.5
    assert read_table(file(late("2024-01-01 10:30:00", "2024-01-01"))).column("a")[-1] == day("2024-01-01T10:30")


def test_what_was_decided_is_told(file):
    def notes(content, **options):
        return " ".join(read_table(file(content), **options).notes)

    assert "month, day, year would fit every row" in notes("d,x\n01/02/2024,1\n03/04/2024,2\n", needed=["x"])
    assert "--date-format %m/%d/%Y" in notes("d,x\n01/02/2024,1\n03/04/2024,2\n", needed=["x"])
    assert notes("d,x\n01/02/2024,1\n03/04/2024,2\n", date_format="%d/%m/%Y") == ""
    assert notes("d,x\n13/02/2024,1\n03/04/2024,2\n") == ""
    assert notes("d,x\n02/02/2024,1\n03/03/2024,2\n") == ""  # both ways are one
    assert "no header line" in notes("1,2\n3,4\n")
    assert "'a_1'" in notes("a,a\n1,2\n")
    assert "begins on line 3" in notes("# x\n# y\na,b\n1,2\n")
    assert "2^53" in notes("a,b\n9007199254740993,2\n")
    assert "3 texts and 2 numbers" in notes("a,b\nx,1\ny,1\nz,1\n1,1\n2,1\n")
    assert notes("a,b\n1,x\n") == ""


def test_the_date_formats_found_read_the_next_file_alike(file):
    first = read_table(file("d,e\n1/13/2024,2024-01-01\n"))
    assert first.date_formats == {"d": "%m/%d/%Y"}
    again = read_table(file("d,e\n1/2/2024,2024-01-01\n"), date_format=first.date_formats)
    assert again.column("d")[0] == day("2024-01-02")
    assert again.notes == []


@pytest.mark.parametrize(
    ("name", "error", "word"),
    [
        ("gone.csv", FileNotFoundError, "no file"),
        ("table.xlsx", ValueError, "the ending tells the format"),
        ("table", ValueError, "the ending tells the format"),
        ("table.csv.bz2", ValueError, r"text also .gz, .zst"),
        ("table.parquet.gz", ValueError, "the ending tells the format"),
        ("table.parquet", ValueError, "cannot be read as parquet"),
        ("table.csv.gz", ValueError, "cannot be decompressed"),
        ("folder", IsADirectoryError, "is a directory"),
    ],
)
def test_files_that_are_none(tmp_path, name, error, word):
    (tmp_path / "folder").mkdir()
    if "gone" not in name and name != "folder":
        (tmp_path / name).write_bytes(b"no table")
    with pytest.raises(error, match=word) as caught:
        read_table(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_names_that_duckdb_would_take_as_patterns(tmp_path):
    for name in ("a[1].csv", "b*.csv", "q?.csv", "it's.csv", "year=2020/x.csv"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("a,b\n1,2\n")
        (tmp_path / "bother.csv").write_text("c,d\n1,2\n")
        assert read_table(path).names == ["a", "b"]
    assert read_table(tmp_path / "it's.csv").path.endswith("it's.csv")


def test_compressed_files(tmp_path):
    with gzip.open(tmp_path / "t.csv.gz", "wt") as text:
        text.write("a,b\n1,x\n2,y\noops,z\n3,x\n")
    with pytest.raises(ValueError, match="'oops' on line 4"):
        read_table(tmp_path / "t.csv.gz")
    for form in ("csv", "json"):
        path = tmp_path / f"t.{form}.zst"
        duckdb.connect().execute(f"copy (select 1 as a, 'x' as b) to '{path}' (format {form}, compression zstd)")
        frame = read_table(path)
        place = "row 1" if form == "csv" else "line 1"
        assert (frame.column("a")[0], frame.column("b")[0], frame.place(0)) == (1, "x", place)
    for rows in (3, 30000):  # ragged among the rows that are sampled, and below them
        lines = f"select 'a,b' as line union all select '1,2' from range({rows}) union all select '1,2,3'"
        plain = "format csv, header false, quote '', delimiter '\t', compression zstd"
        duckdb.connect().execute(f"copy ({lines}) to '{path.parent}/ragged.csv.zst' ({plain})")
        with pytest.raises(ValueError, match=rf"ragged.csv.zst: line {rows + 2} has 3 fields where line 1 has 2"):
            read_table(tmp_path / "ragged.csv.zst")


# ── JSON lines, Parquet ──


def test_json_lines(file):
    first, second = '{"a":1,"b":"2024-01-01","c":true,"d":"x"}', '{"d":"NA","a":2.5,"b":"2024-01-02 10:00","e":"7"}'
    frame = read_table(file(f"{first}\n\n{second}\n", "t.jsonl"))
    assert frame.names == ["a", "b", "c", "d", "e"]
    assert [frame.kind(name) for name in frame.names] == ["number", "date", "truth", "text", "text"]
    assert frame.column("b")[1] == day("2024-01-02T10:00")
    assert frame.column("c").tolist() == [True, None]
    assert frame.column("d").tolist() == ["x", None]
    assert frame.column("e").tolist() == [None, "7"]  # a string stays one
    assert frame.place(1) == "line 3"


@pytest.mark.parametrize(
    ("content", "name", "word"),
    [
        ('{"a":1}\n\n{"a":2}\n{"a":"oops"}\n', "t.jsonl", "column 'a': 2 numbers, then 'oops' on line 4"),
        ('[{"a":1},{"a":"oops"}]', "t.json", "1 number, then 'oops' on row 2"),
        ('{"a":1}\n{"a":[2]}\n', "t.jsonl", "column 'a', line 2: a list"),
        ('{"a":{"b":2}}\n', "t.ndjson", "column 'a', line 1: a dict"),
        ('{"a":1}\n{"a":2\n{"a":3}\n', "t.jsonl", "line 2 is not JSON"),
        ('{"a":1}\n{"a":2,"b":1,"a":3}\n', "t.jsonl", "line 2 has the key 'a' more than once"),
        ('[{"b":1,"a":2,"b":3}]', "t.json", "the file has the key 'b' more than once"),
        ("[1, 2]", "t.json", "row 1 is not an object"),
        ("[]", "t.json", "no rows"),
    ],
)
def test_json_that_is_refused(file, content, name, word):
    with pytest.raises(ValueError, match=word):
        read_table(file(content, name))


def test_json_names_that_differ_in_case_and_large_integers(file):
    frame = read_table(file('[{"a":1,"A":"q"},{"a":9007199254740993,"A":"r"}]', "t.json"))
    assert frame.column("a").tolist() == ["1", "9007199254740993"]
    assert frame.column("A").tolist() == ["q", "r"]
    mixed = read_table(file('{"a":1}\n{"a":"x"}\n', "t.jsonl"), categorical=["a"])
    assert mixed.column("a").tolist() == ["1", "x"]


def test_parquet_types(tmp_path):
    path = tmp_path / "t.parquet"
    duckdb.connect().execute(
        f"""copy (select 1::utinyint as i, 1.5::decimal(9,2) as d, 2.5::float as f, true as b, 'x' as s, uuid() as u,
        date '2024-01-02' as day, timestamp '2024-01-02 03:04:05' as t, timestamptz '2024-01-01 00:00:00+02' as z,
        9007199254740993 as id, 'NA' as na union all
        select null, null, null, null, null, null, null, null, null, 1, '.') to '{path}'"""
    )
    frame = read_table(path, nulls=[".", "NA"])
    kinds = {name: frame.kind(name) for name in frame.names}
    assert kinds == dict.fromkeys("idf", "number") | {"b": "truth"} | dict.fromkeys(("s", "u", "id", "na"), "text") | (
        dict.fromkeys(("day", "t", "z"), "date")
    )
    assert frame.column("z")[0] == day("2023-12-31T22:00")
    assert frame.column("id").tolist() == ["9007199254740993", "1"]
    assert frame.column("na").tolist() == ["NA", None]  # a typed file's own NA is a value
    assert frame.column("b").tolist() == [True, None]
    assert np.isnan(frame.column("d")[1])
    assert frame.place(0) == "row 1"
    nested = {"ndarray": "[1, 2]", "bytearray": "'x'::blob", "dict": "{'a': 1}", "duration": "interval 1 day"}
    for kind, bad in nested.items():
        duckdb.connect().execute(f"copy (select 1 as a, {bad} as \"odd 'one\") to '{path}'")
        with pytest.raises(ValueError, match=rf"""column "odd 'one", row 1: a {kind} in a cell"""):
            read_table(path)


def test_frame_columns_rows_and_places(file):
    frame = read_table(file("a,b\n1,x\n2,y\n3,z\n"))
    assert (frame.n_rows, frame.names) == (3, ["a", "b"])
    part = frame.take(np.array([False, True, True])).take(np.array([1]))
    assert (part.column("a")[0], part.place(0)) == (3, "line 4")
    assert frame.drop(["a"]).names == ["b"]
    for wrong in (lambda: frame.column("aa"), lambda: frame.drop(["aa"])):
        with pytest.raises(ValueError, match=r"no column 'aa'; did you mean 'a'\? its columns are 'a', 'b'"):
            wrong()


# ── writing ──

ODD = {
    "n": [1, 2.5, None, -3e300],
    "s": ["x", None, 'a"b,\nü', " y "],
    "t": np.array([True, None, False, True], dtype=object),
    "d": np.array(["2024-01-01", "NaT", "2024-02-03T04:05:06.5", "1999-12-31"], "datetime64[us]"),
    "we \"ird'; drop table t; --": [1, 2, 3, 4],
    "新しい": [1, 2, 3, 4],
}


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "jsonl", "ndjson", "json", "jsonl.gz", "parquet", "pq"])
def test_what_is_written_is_read_again(tmp_path, ending):
    frame, path = Frame.from_arrays(ODD), tmp_path / f"t.{ending}"
    write_table(path, frame)
    again = read_table(path, strip=False)  # a text's own spaces are kept where it is said that they are its own
    assert again.names == frame.names
    for name in frame.names:
        # A CSV file has no truth values: they stay as they are spelled.
        as_text = name == "t" and ending[0] in "ct"
        expected = [None if v is None else spelling(v) for v in frame.column(name)] if as_text else frame.column(name)
        np.testing.assert_array_equal(again.column(name), expected)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("name", "mark"),
    [("t.tsv", "\t"), ("t.TSV.gz", "\t"), ("a.csv.tsv", "\t"), ("t.tsv_backup.csv", ","), ("t.tsv.csv", ",")],
)
def test_the_last_ending_says_what_is_between_the_fields(tmp_path, name, mark):
    frame = Frame.from_arrays({"a": ["x", "y"], "b": [1, 2]})
    write_table(tmp_path / name, frame)
    written = (tmp_path / name).read_bytes()
    assert (gzip.decompress(written) if name.endswith("gz") else written) == f"a{mark}b\nx{mark}1\ny{mark}2\n".encode()
    assert read_table(tmp_path / name).names == ["a", "b"]
    lines = "a;b\tc;d\n" + "1;2\t3;4\n" * 3  # either could be
    (tmp_path / "t.tsv.csv").write_text(lines)
    (tmp_path / "u.csv").write_text(lines)
    assert read_table(tmp_path / "t.tsv.csv").names == read_table(tmp_path / "u.csv").names


def test_text_for_standard_output():
    frame = Frame.from_arrays(ODD)
    rows = list(csv.reader(io.StringIO("".join(to_csv_text(frame)), newline="")))
    assert rows[0] == frame.names
    assert rows[1] == ["1", "x", "true", "2024-01-01", "1", "1"]
    assert rows[3] == ["", 'a"b,\nü', "false", "2024-02-03T04:05:06.500000", "3", "3"]
    assert len("".join(to_csv_text(Frame.from_arrays({"a": np.arange(10000)}))).splitlines()) == 10001


def test_writing_that_is_refused(tmp_path, monkeypatch):
    frame = Frame.from_arrays({"a": [1]})
    for name, error in (("t.xls", ValueError), ("gone/t.csv", FileNotFoundError), ("t.parquet.gz", ValueError)):
        with pytest.raises(error):
            write_table(tmp_path / name, frame)
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(IsADirectoryError):
        write_table(tmp_path / "t.csv", frame)
    (tmp_path / "old.csv").write_text("old")
    monkeypatch.setattr("netwright.tables.write.spelling", lambda value: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_table(tmp_path / "old.csv", frame)
    assert (tmp_path / "old.csv").read_text() == "old"  # whole or not at all
    assert len(list(tmp_path.iterdir())) == 2


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.floats(allow_nan=False, allow_infinity=False), st.text("ab,;|\t\"'\n\r#é ")), min_size=1))
def test_any_text_survives_a_csv_file(tmp_path, rows):
    # A letter in front: texts that spell numbers, dates or missing values are another matter.
    numbers, texts = [number for number, _ in rows], ["t" + text for _, text in rows]
    write_table(tmp_path / "t.csv", Frame.from_arrays({"x": numbers, "s": texts}))
    again = read_table(tmp_path / "t.csv", delimiter=",", header=True, strip=False)
    assert again.column("x").tolist() == numbers
    assert again.column("s").tolist() == texts


def test_a_wide_file_is_read_as_its_parts_are_and_in_proportion_to_them(tmp_path, monkeypatch):
    """600 columns of all kinds; as texts looked at, as statements over a table of texts, and over the file."""
    rng = np.random.default_rng(0)
    kinds = [
        lambda: [f"{x:.3f}" for x in rng.normal(size=8)],
        lambda: [f"{x:05d}" for x in rng.integers(0, 99, 8)],
        lambda: ["9007199254740993", "1", *"234567"],
        lambda: ["", "NA", *"345678"],
        lambda: list("abcdefgh"),
        lambda: ["-007", *"1234567"],
        lambda: ["+007", *"1234567"],
        lambda: [f"2024-01-0{i}" for i in range(1, 9)],
        lambda: ["1e3", "-0.5", " 7", "+8", "inf", "0", "0.25", "2"],
        lambda: ["true", "false"] * 4,
    ]
    columns = [[f"c{j}", *kinds[j % len(kinds)]()] for j in range(600)]

    def written(name, some):
        (tmp_path / name).write_text("".join(",".join(cells) + "\n" for cells in zip(*some, strict=True)))
        return tmp_path / name

    narrow = [read_table(written("narrow.csv", columns[j : j + 20])) for j in range(0, 600, 20)]
    wide = written("wide.csv", columns)
    ways = [read_table(wide)]
    monkeypatch.setattr(csv_columns, "BLOCK", 1800)  # three rows
    ways.append(read_table(wide))
    monkeypatch.setattr(csv_columns, "WIDE_SMALL", 0)
    monkeypatch.setattr(csv_columns, "WIDEST", 10**9)
    ways.append(read_table(wide))
    monkeypatch.setattr(csv_columns, "HELD", 0)
    ways.append(read_table(wide))
    for frame in ways:
        assert frame.names == [name for one in narrow for name in one.names]
        for one in narrow:
            for name, values in one.columns.items():
                assert frame.columns[name].dtype == values.dtype, name
                np.testing.assert_array_equal(frame.columns[name], values)
        assert frame.notes == [note for one in narrow for note in one.notes]


@pytest.mark.slow
def test_the_time_is_in_proportion_to_the_columns(tmp_path):
    def seconds(columns):
        rows = [",".join("0.125" for _ in range(columns)) for _ in range(20)]
        path = tmp_path / f"{columns}.csv"
        path.write_text("\n".join([",".join(f"c{j}" for j in range(columns)), *rows]) + "\n")
        begun = time.process_time()
        read_table(path)
        return time.process_time() - begun

    seconds(200)
    assert seconds(3200) < 40 * max(min(seconds(200) for _ in range(3)), 0.02)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"thousands": "."}, r"thousands and decimal are both '.': 1.234 could be either"),
        ({"decimal": ",", "thousands": ","}, "thousands and decimal are both ','"),
        ({"delimiter": ";;"}, "delimiter must be one character, got ';;'"),
        ({"delimiter": 5}, "delimiter must be one character, got 5"),
        ({"decimal": ""}, "decimal must be one character, got ''"),
        ({"decimal": "1"}, "decimal must be a mark between digits, got '1'"),
        ({"thousands": "12"}, "thousands must be one character, got '12'"),
        ({"nulls": "NA"}, r"nulls must be a list of texts such as \['NA', '-'\], got 'NA'"),
        ({"nulls": [5]}, "nulls must be a list of texts"),
        ({"date_format": 5}, "date_format must be a text such as '%d/%m/%Y', or one by column, got 5"),
        ({"date_format": {"a": 5}}, "a date_format is a text such as '%d/%m/%Y', got 5"),
        ({"header": "x"}, "header must be True or False, got 'x'"),
        ({"delimiter": "\n"}, "delimiter must be a mark between fields"),
        ({"encoding": "idna"}, "unknown encoding 'idna'"),
        *(({"encoding": name}, f"unknown encoding '{name}'") for name in ("hex", "rot13", "zlib", "base64", "x")),
    ],
)
def test_what_cannot_be_read_by_is_refused(options, match, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n1.234,2.5\n2.5,3\n")
    with pytest.raises(ValueError, match=match):
        read_table(tmp_path / "t.csv", **options)
