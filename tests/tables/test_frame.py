"""Frames: columns of four kinds from whatever Python calls a column, and what is refused."""

from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import numpy as np
import pytest

from netwright.tables.column import spelling
from netwright.tables.convert import as_column
from netwright.tables.frame import Frame

NAN = float("nan")


def day(text):
    return np.datetime64(text, "us")


def known(values):
    """The values as a list, None for each that is missing."""
    return [None if v is None or v != v else v for v in values]


class NA:
    """As pandas.NA: whoever asks whether it is something gets an error."""

    def __bool__(self):
        raise TypeError("boolean value of NA is ambiguous")

    def __eq__(self, other):
        return self

    __ne__ = __eq__
    __hash__ = None


NA.__name__ = "NAType"


@pytest.mark.parametrize(
    ("values", "kind", "expected"),
    [
        ([1, 2.5, None], "number", [1, 2.5, None]),
        (np.array([1, 2], np.uint8), "number", [1, 2]),
        ([Decimal("1.5"), np.float32(2), NA()], "number", [1.5, 2, None]),
        (np.array(["x", "ü"]), "text", ["x", "ü"]),
        (["x", NAN, NA(), np.datetime64("NaT")], "text", ["x", None, None, None]),
        (np.array([True, False]), "truth", [True, False]),
        ([np.True_, None], "truth", [True, None]),
        (np.array(["2024-01-01", "NaT"], "datetime64[D]"), "date", [day("2024-01-01"), None]),
        ([date(2024, 1, 1), None], "date", [day("2024-01-01"), None]),
        ([datetime(2024, 1, 1, 5, tzinfo=UTC)], "date", [day("2024-01-01T05")]),
        ([None, NAN], "number", [None, None]),
        ([2**53 + 1, 1], "text", ["9007199254740993", "1"]),
        (np.array([2**63], np.uint64), "text", ["9223372036854775808"]),
        (np.ma.array([1, 2], mask=[0, 1]), "number", [1, None]),
        (np.ma.array(["x", "y"], mask=[0, 1]), "text", ["x", None]),
        ([UUID(int=1)], "text", ["00000000-0000-0000-0000-000000000001"]),
        ([time(1, 30), None], "text", ["01:30:00", None]),
        ([np.ma.masked, 2.0], "number", [None, 2]),
    ],
)
def test_frames_from_arrays(values, kind, expected):
    frame = Frame.from_arrays({"c": values})
    assert frame.kind("c") == kind
    assert known(frame.column("c")) == expected
    assert frame["c"].missing.tolist() == [v is None for v in expected]
    assert all(type(v) is str for v in frame.column("c") if kind == "text" and v is not None)


def test_frames_from_what_data_frames_offer():
    class Series:
        def __init__(self, values):
            self.values = values

        def to_numpy(self):
            return np.array(self.values, dtype=object)

    class Data(dict):
        columns = ("a", 7)

    frame = Frame.from_arrays(Data({"a": Series([1, NA()]), 7: Series(["x", None])}))
    assert frame.names == ["a", "7"]
    assert [frame.kind(name) for name in frame.names] == ["number", "text"]
    assert Frame.from_arrays(np.eye(2)).names == ["x0", "x1"]
    assert Frame.from_arrays([[1, "x"], [2, "y"]]).kind("x1") == "text"


@pytest.mark.parametrize(
    ("data", "word"),
    [
        ({"c": [1, 2, "x"]}, r"column 'c': 2 numbers, then 'x' on index 2"),
        ({"c": ["x", "y", True]}, r"column 'c': 2 texts, then True on index 2"),
        ({"c": [[1], [2]]}, "column 'c', index 0: a list"),
        ({"c": np.array([1], "timedelta64[s]")}, "column 'c', index 0: a duration"),
        ({"c": [b"x"]}, "column 'c', index 0: a bytes"),
        ({"c": [{}]}, "column 'c', index 0: a dict"),
        ({"c": "text"}, "column 'c' must be a sequence with a value for each row, got 'text'"),
        ({"c": 1}, "column 'c' must be a sequence"),
        ({"c": {1, 2}}, "column 'c' must be a sequence"),
        ({"c": np.zeros((2, 2))}, "column 'c' has several values in a cell"),
        ({"c": [1j]}, "a complex"),
        ({"a": [1], "b": [1, 2]}, "different lengths"),
        ({"1": [1], 1: [1]}, "more than once"),
        (np.zeros(3), "two dimensions"),
    ],
)
def test_arrays_that_are_refused(data, word):
    with pytest.raises(ValueError, match=word):
        Frame.from_arrays(data)


def test_mixed_arrays_as_categories():
    assert as_column("c", [1, "x", 2.0, True, None], categorical=["c"]).tolist() == ["1", "x", "2", "true", None]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.0, "3"), (np.float32(0.5), "0.5"), (-0.0, "0"), (1e300, "1e+300"), (float("inf"), "inf"), (NAN, ""),
        (2**60, str(2**60)), (np.int8(7), "7"), (True, "true"), (np.False_, "false"), (None, ""), ("3.0", "3.0"),
        (day("2024-01-01"), "2024-01-01"), (day("2024-01-01T10"), "2024-01-01T10:00:00"), (day("NaT"), ""),
    ],
)  # fmt: skip
def test_spelling(value, text):
    assert spelling(value) == text
