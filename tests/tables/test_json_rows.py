"""JSON lines and arrays: taken one by one, and what is wrong told by its line or row."""

import numpy as np
import pytest

from netwright.tables import json_rows
from netwright.tables.read import read_table


@pytest.fixture
def file(file):
    return lambda content, name="t.jsonl": file(content, name)


ROWS = ['{"a": 1, "b": "x"}', '{"b": "y", "c": true}', '{"a": 2.5}']


@pytest.mark.parametrize("name", ["t.json", "t.jsonl", "t.json.gz"])
@pytest.mark.parametrize(
    ("text", "places"),
    [
        ("\n".join(ROWS), ["line 1", "line 2", "line 3"]),
        ("\n\n" + "\r\n\r\n".join(ROWS) + "\n\n", ["line 3", "line 5", "line 7"]),
        ("\ufeff" + "\n".join(ROWS), ["line 1", "line 2", "line 3"]),
        (f"[{','.join(ROWS)}]", ["row 1", "row 2", "row 3"]),
        ("\n [\n" + " ,\r\n\t".join(ROWS) + "\n]\n\n", ["row 1", "row 2", "row 3"]),
    ],
)
def test_objects_become_columns(file, name, text, places):
    frame = read_table(file(text, name))
    assert frame.names == ["a", "b", "c"]
    np.testing.assert_array_equal(frame.column("a"), [1, np.nan, 2.5])
    assert frame.column("b").tolist() == ["x", "y", None]
    assert frame.column("c").tolist() == [None, True, None]
    assert [frame.place(row) for row in range(3)] == places


LONG = "1" * 5000


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (f'{{"a": 1}}\n{{"a": {LONG}}}\n', "line 2 holds an integer of more than 4300 digits"),
        (f'[{{"a": 1}}, {{"a": -{LONG}}}]', "the file holds an integer of more than 4300 digits"),
        ('{"a": 1}\n{"a": "é"}\n'.encode("latin-1"), "line 2 is not UTF-8 text .*--encoding latin-1"),
        ('[{"a": 1},\n{"a": "é"}]\n'.encode("latin-1"), "line 2 is not UTF-8 text"),
        ('{"a": 1}\n'.encode("utf-16"), "line 1 is not UTF-8 text .*try --encoding utf-16"),
        ('{"a": 1}\n{"a": 1}, {"a": 2}\n', "line 2 is not JSON: Extra data at character 9"),
        ('{"a": 1}\n{"a": 1, "b": 2, "a": 3}\n', "line 2 has the key 'a' more than once"),
        ('{"a": 1}\n[1, 2]\n', "line 2 is not an object with a key for each column"),
        ('{"a": 1}\n' + "[" * 100_000, "line 2 is not JSON: it is nested too deeply"),
        ('[{"a": 1} {"a": 2}]', r"the file is not JSON: Expecting ',' delimiter at character 11"),
        ('[{"a": 1},]', "the file is not JSON: .* at character 11"),
        ('[{"a": 1}', "the file is not JSON: Expecting ',' delimiter at character 10"),
        ('[{"a": 1}] x', "the file is not JSON: Extra data at character 12"),
        ('[{"a": 1}, 5]', "row 2 is not an object"),
        ("[", "the file is not JSON: Expecting value at character 2"),
        ("[]", "has no rows"),
        ("\n \n", "has no rows"),
        ("\n\nno", "line 3 is not JSON"),
    ],
)
def test_what_is_no_json_of_rows(file, content, said):
    with pytest.raises(ValueError, match=rf"t\.jsonl:? {said}") as error:
        read_table(file(content))
    assert "\n" not in str(error.value)


def test_a_new_key_in_every_object_is_no_table(file, monkeypatch):
    monkeypatch.setattr(json_rows, "memory", lambda: 10**6)
    with pytest.raises(ValueError, match=r"\d+ different keys by line \d+: with a column for each"):
        read_table(file("".join(f'{{"k{i}": 1}}\n' for i in range(1000))))
