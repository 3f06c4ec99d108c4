"""What a row may be for the JavaScript export: numbers, dates and texts as people have them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from exported import frame, table_model
from in_node import needs_node, node, written
from netwright import Network
from netwright.export.expression import Expression
from netwright.export.program import Dense, NumberColumn, Program, Target, TextColumn, run
from netwright.tables.column import spelling
from netwright.tables.encoders import levels_of

pytestmark = needs_node


def test_a_row_may_be_as_people_have_it(tmp_path):
    written(table_model(3).program(), tmp_path)
    row = {name: column.tolist()[7] for name, column in frame().columns.items()} | {"when": 1577836800e6, "number": 4.0}
    other = {"number": ["4.0", " 4 ", "+4", "4e0"]}
    other["when"] = ["2020-01-01", "2020-01-01T00:00:00Z", "2020-01-01 01:30:00+01:30", "2019-12-31T23:59:00-0001"]
    (tmp_path / "given.json").write_text(json.dumps([row, other]), "utf-8")
    same, missing, date, yes = node(
        tmp_path,
        """
        import { readFileSync } from "node:fs";
        const [row, other] = JSON.parse(readFileSync("given.json", "utf8"));
        const P = (more) => m.values({ ...row, ...more }).join();
        const same = Object.entries(other).flatMap(([name, all]) => all.map((each) => P({ [name]: each })));
        say([new Set([P({}), ...same, P({ number: 4n }), P({ when: new Date("2020-01-01") })]).size,
          new Set(["", " ", null, undefined, NaN].map((number) => P({ number }))).size,
          new Set([null, NaN, "", new Date(NaN)].map((when) => P({ when }))).size,
          new Set([true, "TRUE ", "yes", "true", 1, "Yes", "1"].map((yes) => P({ yes }))).size]);
        """,
    )
    assert (same, missing, date, yes) == (1, 1, 1, 1)


DATES = {
    "2024-02-29": "2024-02-29", " 2024-02-29T12:30 ": "2024-02-29T12:30", "1969-12-31 23:59:59.999999": None,
    "1582-10-15T00:00:01.5": None, "0001-01-01": None, "2199-12-31T23:59:59.123456789": "2199-12-31T23:59:59.123456",
    "2021-03-04T05:06:07.25-07:30": "2021-03-04T12:36:07.25", "2021-03-04T05:06:07+0200": "2021-03-04T03:06:07",
    "2021-03-04T05:06 Z": "2021-03-04T05:06",
}  # fmt: skip


def answering(*columns):
    """A program that answers its columns' first features."""
    firsts = np.zeros(
        (len(columns), sum(1 if isinstance(each, NumberColumn) else each.rows.shape[1] for each in columns))
    )
    firsts[:, : len(columns)] = np.eye(len(columns))
    dense = Dense(firsts, np.zeros(len(columns)), Expression("z"), "identity")
    targets = tuple(Target(f"of {column.name}", i, 1) for i, column in enumerate(columns))
    return Program(firsts.shape[1], ((dense,),), (1.0,), targets, "float64", print, columns)


def test_dates_are_read_to_the_microsecond(tmp_path):
    written(answering(NumberColumn("t", "date", (Expression("x"),), (-1.0,), 0.0, 1.0)), tmp_path)
    bad = ["2023-02-29", "2024-13-01", "2024-1-1", "2024-01-01T24:00", "2024-01-01T10:60", "yesterday", "20240101"]
    said = node(
        tmp_path,
        f"""
        const tried = (t) => {{ try {{ return m.predict({{ t }}); }} catch (error) {{ return error.name; }} }};
        const [good, bad] = {json.dumps([[*DATES], bad])};
        say([good.map(tried), bad.map(tried), tried(new Date(1234.9)), tried(-5.5), tried(true), tried(undefined)]);
        """,
    )
    right = [np.datetime64(right or given, "us").astype(int).item() for given, right in DATES.items()]
    assert said == [right, ["TypeError"] * len(bad), 1234000, -5.5, 1, -1]


def test_what_is_no_number_is_an_error_that_names_the_column(tmp_path):
    written(answering(NumberColumn("a", "number", (Expression("x"),), (-1.0,), 0.0, 1.0)), tmp_path)
    said = node(
        tmp_path,
        """
        const tried = (a) => { try { return m.predict({ a }); } catch (error) { return `${error}`; } };
        say([["x", "0x10", "1,5", "Infinity", Infinity, [3], {}, new Date(0), "1 2", () => 1].map(tried),
          [true, "-.5e1", "12.", 3n, null].map(tried)]);
        """,
    )
    assert all(each.startswith('TypeError: column "a": ') and each.endswith(" is not a number") for each in said[0])
    assert said[1] == [1, -5, 12, 3, -1]


NUMBERS = [3.0, -0.0, 0.1, -2.5, 1e-4, 1e-5, 1.5e-7, 123456789.125, 2.0**53, 2.0**53 - 1, 9.5e15, 1e16, 1.25e20, -1e21]
NUMBERS += [5e-324, 1.7976931348623157e308, 1e100, 0.30000000000000004]


def texts(was, levels, **others):
    """A column that is the place of its text."""
    codes = {level: place for place, level in enumerate(levels)} | others
    return TextColumn(was, was, codes, np.arange(len(levels) + 2.0)[:, None], len(levels), len(levels) + 1)


def test_numbers_dates_and_truth_are_spelled_as_training_does(tmp_path):
    times = ["2020-01-01", "2020-01-01T10:00:00", "2020-01-01T10:00:00.250000", "2020-01-01T00:00:00.001000"]
    given = [
        *((NUMBERS, was, levels_of(np.array(NUMBERS), was)) for was in ("number", "text")),
        ([*map(repr, NUMBERS), " 0.10 ", "+3", "a"], "number", [*map(spelling, NUMBERS), "a"]),
        ([True, False, "TRUE", "False", 1, 0, "1"], "truth", ["false", "true"]),
        ([*times, *(each.replace("T", " ") for each in times), "2020-01-01T00:00", "2020-01-01T10:00Z"], "date", times),
    ]
    for values, was, levels in given:
        levels = [*dict.fromkeys(levels)]
        written(answering(texts(was, levels, **({"0": 0, "1": 1} if was == "truth" else {}))), tmp_path)
        found = node(tmp_path, f"say({json.dumps(values)}.map((v) => m.predict({{ {was}: v }})))")
        if was in ("number", "text"):
            said = levels_of(np.array(values, object), was)
            assert found == [levels.index(each if each in levels else each.strip()) for each in said]
        elif was == "truth":
            assert found == [1, 0, 1, 0, 1, 0, 1]
        else:
            assert found == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]
    zoned = [each if len(each) == 10 else f"{each}Z" for each in times]  # a Date takes a time without one as local
    found = node(tmp_path, f"say({json.dumps(zoned)}.map((v) => m.predict({{ date: new Date(v) }})))")
    assert found == [0, 1, 2, 3]


def test_texts_are_found_as_they_are_or_without_the_spaces_around(tmp_path):
    column = texts("text", ["a", " a", "b c", "", "nbsp"])
    program = answering(column)
    written(program, tmp_path)
    given = ["a", " a", " a ", "\t\n\r\f\va", "b c ", "b  c", "", " ", "A", "a\0", "nbsp", None]
    found = node(tmp_path, f"say({json.dumps(given)}.map((v) => m.predict({{ text: v }})))")
    assert found == run(program, {"text": given})[0][:, 0].tolist()
    assert len({*found}) > 5


def test_a_plain_row_is_a_list_or_has_names(tmp_path):
    network = Network([3, 1], loss="squared_error", rng=0)
    written(replace(network.program(), names=("a", "__proto__", "c")), tmp_path)
    said = node(
        tmp_path,
        """
        const tried = (row) => { try { return m.predict(row); } catch (error) { return `${error}`; } };
        say([[1, 2, 3], Float32Array.of(1, 2, 3), new Map([["c", 3], ["__proto__", 2], ["a", 1]]),
          JSON.parse('{"c": 3, "__proto__": 2, "a": 1}'), [1, 2], [1, 2, NaN], [1, null, 2],
          ["1", "x", 2]].map(tried));
        """,
    )
    assert said[:4] == [pytest.approx(network.predict(np.array([[1.0], [2], [3]])).item(), rel=1e-14)] * 4
    assert [each.removeprefix("TypeError: ") for each in said[4:]] == [
        "a row has 3 numbers, got 2",
        'column "c": the number is missing',
        'column "__proto__": the number is missing',
        'column "1": x is not a number',
    ]
