"""What cells of text are: numbers, dates and truth however they are spelled, what is missing, and what is asked."""

import csv

import numpy as np
import pytest

import netwright
from netwright import train_table
from netwright.tables.features import TableEncoder
from netwright.tables.frame import Frame
from netwright.tables.read import read_table
from netwright.tables.target import TargetEncoder
from netwright.tables.truth import truths

NAN = float("nan")


@pytest.fixture
def cells(tmp_path):
    def read(*values, name="t.csv", **options):
        with (tmp_path / name).open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("c", "y"), *((value, i) for i, value in enumerate(values))])
        return read_table(tmp_path / name, header=True, **options)

    return read


# (cells, as numbers, the unit, words of the one note)
NUMBERS = [
    (["$12.50", "$-5", "-$5", "($5)", "$ 1000", "7"], [12.5, -5, -5, -5, 1000, 7], "$", "'$12.50' is read as 12.5"),
    (["€5", "6 €", " € 7.25 "], [5, 6, 7.25], "€", "amounts in €"),
    (["US$5", "US$ 6"], [5, 6], "US$", "'US$5' is read as 5"),
    (["CHF 12.50", "CHF 3.-", "CHF 4.–"], [12.5, 3, 4], "CHF", "amounts in CHF"),
    (["USD 5", "usd6", "7 USD"], [5, 6, 7], "USD", "amounts in USD"),
    (["12 kr", "13.5 kr.", "kr 4,-"], [12, 13.5, 4], "kr", "amounts in kr"),
    (["Rs. 500", "Rs 600"], [500, 600], "rs", "amounts in rs"),
    (["¥1 000", "¥2 500 000"], [1000, 2.5e6], "¥", "'¥1 000' is read as 1000"),
    (["12.5 %", "3%", "%4"], [12.5, 3, 4], "%", "'12.5 %' is read as 12.5"),
    (["1'234'567", "2’000’000", "5"], [1234567, 2e6, 5], "", "is read as 1234567"),
    (
        ["1 234 567", "2\u00a0000", "3\u202f000.5", "4"],
        [1234567, 2000, 3000.5, 4],
        "",
        "'1 234 567' is read as 1234567",
    ),
    (["−5", "6", "–7"], [-5, 6, -7], "", "'−5' is read as -5"),
    (["\u00a05\u2009", "\t6", "7"], [5, 6, 7], "", None),
    (["5", " ?", "\u00a0", "NA ", "6"], [5, NAN, NAN, NAN, 6], "", None),
]


@pytest.mark.parametrize(("values", "numbers", "unit", "told"), NUMBERS)
def test_numbers_in_any_dress(cells, values, numbers, unit, told):
    frame = cells(*values)
    np.testing.assert_array_equal(frame.column("c"), numbers)
    assert frame.units == ({"c": unit} if unit else {})
    assert len(frame.notes) == (told is not None)
    assert told is None or ("column 'c'" in frame.notes[0] and told in frame.notes[0])
    again = cells(*values, units=frame.units)
    assert again.units == frame.units
    assert not (unit and again.notes)  # what was so before is not told again


@pytest.mark.parametrize(
    ("values", "options", "numbers"),
    [
        (["3,75,243", "12,34,56,789.5", "5"], {"thousands": ","}, [375243, 123456789.5, 5]),
        (["₹3,75,243", "₹ 400"], {"thousands": ","}, [375243, 400]),
        (["$1,234.50", "$2,000"], {"thousands": ","}, [1234.5, 2000]),
        (["1.234,50 €", "2 €"], {"thousands": ".", "decimal": ","}, [1234.5, 2]),
        (["12,5 %", "3 %"], {"decimal": ","}, [12.5, 3]),
        (["1 234,5", "2\u00a0000,25"], {"decimal": ","}, [1234.5, 2000.25]),
        (["1 234", "2\u00a0000"], {"thousands": " "}, [1234, 2000]),
        (["1’234", "2'000"], {"thousands": "'"}, [1234, 2000]),
    ],
)
def test_marks_that_are_told(cells, values, options, numbers):
    assert cells(*values, **options).column("c").tolist() == numbers


# (cells, words of the note, which begins with the column)
NEARLY = [
    (["5€", "$6", "7€", "$8"], ["several units", "'5€' and '$6'"]),
    (["12%", "0.3"], ["several units", "'0.3'"]),
    (["1.2M", "3.4M", "500K"], ["numbers with a unit", "'1.2M'"]),
    (["5 kg", "6.5 kg", "70 kg"], ["numbers with a unit", "'5 kg'"]),
    (["5-", "6-"], ["sign that is not in front", "'5-'"]),
    (["10 - 20", "20-30"], ["ranges", "'10 - 20'"]),
    (["079 123 456", "079 123 457"], ["begin with 0"]),
    (["9 007 199 254 740 993", "1"], ["2^53"]),
    (["2024-01", "2024-12"], ["months", "'2024-01'", "--date-format %Y-%m"]),
    (["Jan-24", "Feb-24"], ["'Jan-24'", "--date-format %b-%y"]),
    (["5 Jan", "6 Feb"], ["days without a year", "'5 Jan'"]),
    (["10:30", "23:45"], ["times of day", "--date-format %H:%M"]),
    (["2024-01-05 10:00 EST", "2024-01-06 11:00 EST"], ["time zone", "EST", "+02:00"]),
    (["2024-Q1", "2024-Q2"], ["quarters"]),
    (["x", "y", "5"], ["2 texts and 1 number", "'x'", "'5'"]),
    (["True", "TRUE", "true", "no", "x"], []),
    (["R12", "R13"], []),
    (["Paris", "Rome"], []),
]


@pytest.mark.parametrize(("values", "words"), NEARLY)
def test_what_is_nearly_a_number_or_a_date_is_told(cells, values, words):
    frame = cells(*values)
    assert frame.column("c").tolist() == values
    assert len(frame.notes) == bool(words)
    assert all(word in frame.notes[0] for word in [*words, *["column 'c'"] * bool(words)])
    assert cells(*values, categorical=["c"]).notes == []


def test_what_a_format_makes_of_what_was_nearly_a_date(cells):
    assert str(cells("2024-01", "2024-12", date_format="%Y-%m").column("c")[1]).startswith("2024-12-01")
    assert str(cells("Jan-24", "Feb-24", date_format={"c": "%b-%y"}).column("c")[1]).startswith("2024-02-01")
    assert str(cells("10:30", "23:45", date_format={"c": "%H:%M"}).column("c")[1]).endswith("23:45:00.000000")


# (cells, options, words of the error)
ASKED = [
    (["01/02/2024", "03/04/2024"], {}, ["'01/02/2024'", "--date-format %d/%m/%Y or --date-format %m/%d/%Y"]),
    (["1,234", "5,678"], {}, ["'1,234'", "(--thousands , or --decimal ,)"]),
    (["$1,234.50", "$2,000"], {}, ["'$1,234.50'", "(--thousands ,)"]),
    (["1.234,5", "6"], {}, ["(--decimal , --thousands .)"]),
    (["1.234.567", "2.345.678"], {}, ["(--decimal , --thousands .)"]),
    (["3,75,243", "4,00,000"], {}, ["'3,75,243'", "(--thousands ,)"]),
    (["1,5%", "2,5%"], {}, ["(--decimal ,)"]),
    (["1,23", "4,56"], {"thousands": ","}, ["'1,23' does not fit --thousands ,", "--decimal ,"]),
    (["1.234,5", "3,5"], {"decimal": ","}, ["'1.234,5' does not fit --decimal ,", "--thousands ."]),
    (["5€", "6€", "$7"], {}, ["2 numbers in €, then '$7' on line 4"]),
    (["12%", "3%", "0.3"], {}, ["2 numbers in %, then '0.3' on line 4"]),
    (["05-Jan-2024", "06-Jan-2024", "soon"], {}, ["2 dates, then 'soon' on line 4"]),
    (["05.01.2024", "06.01.2024", "x"], {"date_format": {"c": "%d.%m.%Y"}}, ["2 dates, then 'x' on line 4"]),
    (["5€", "6€"], {"units": {"c": "$"}}, ["was in $ in training, and '5€' is not"]),
]


@pytest.mark.parametrize(("values", "options", "words"), ASKED)
def test_what_could_be_two_things_is_asked(cells, values, options, words):
    with pytest.raises(ValueError, match="column 'c'") as error:
        cells(*values, **options)
    assert all(word in str(error.value) for word in words), str(error.value)
    assert cells(*values, **options, needed=["y"]).n_rows == len(values)  # and nobody is where it is not needed


# (cells, the format that is found, the days)
DATES = [
    (["05-Jan-2024", "06-FEB-2024", "7-mar-2024"], "%d-%b-%Y", ["2024-01-05", "2024-02-06", "2024-03-07"]),
    (["5 January 2024", "6 May 2024"], "%d %B %Y", ["2024-01-05", "2024-05-06"]),
    (["Jan 5, 2024", "January 15, 2024", "Sept. 3, 2024"], "%b %d, %Y", ["2024-01-05", "2024-01-15", "2024-09-03"]),
    (["05JAN2024", "06FEB2024"], "%d%b%Y", ["2024-01-05", "2024-02-06"]),
    (["05-Jan-24", "06-Feb-99"], "%d-%b-%y", ["2024-01-05", "1999-02-06"]),
    (["2024-Jan-05", "2024-Feb-06"], None, ["2024-01-05", "2024-02-06"]),
    (["5th January 2024", "1st of May 2024"], "%d %B %Y", ["2024-01-05", "2024-05-01"]),
    (["January 2024", "May 2024"], "%B %Y", ["2024-01-01", "2024-05-01"]),
    (["Fri, 05 Jan 2024 10:00:00 GMT", "Sat, 06 Jan 2024"], "%d %b %Y", ["2024-01-05T10", "2024-01-06"]),
    (["Jan 5, 2024 10:30 PM", "Jan 6, 2024 1:30 am"], "%b %d, %Y", ["2024-01-05T22:30", "2024-01-06T01:30"]),
    (["5 Jan 2024 10:30 +0200", "5 Jan 2024 10:30"], "%d %b %Y", ["2024-01-05T08:30", "2024-01-05T10:30"]),
    (["2024-01-05 10:00 UTC", "2024-01-06 11:00Z"], None, ["2024-01-05T10", "2024-01-06T11"]),
    (["2024-01-05T10:00:00+0530", "2024-01-05T10:00:00-02"], None, ["2024-01-05T04:30", "2024-01-05T12"]),
    (["13/01/2024 1:30PM", "01/02/2024"], "%d/%m/%Y", ["2024-01-13T13:30", "2024-02-01"]),
    ([" 2024-01-05", "\u00a02024-01-06 "], None, ["2024-01-05", "2024-01-06"]),
]


@pytest.mark.parametrize(("values", "form", "days"), DATES)
def test_dates_in_any_dress(cells, values, form, days):
    frame = cells(*values)
    np.testing.assert_array_equal(frame.column("c"), np.array(days, "datetime64[us]"))
    assert frame.date_formats == ({"c": form} if form else {})
    assert len(frame.notes) <= 1
    again = cells(*values[::-1], date_format=frame.date_formats)
    np.testing.assert_array_equal(again.column("c"), np.array(days[::-1], "datetime64[us]"))


def test_other_months_stay_texts(cells):
    for values in (["Mayor 2024", "Marching 5"], ["May the 4th be", "June"], ["31 Feb 2024", "30 Feb 2024"]):
        assert cells(*values).kind("c") == "text"


# ── what is missing ──


@pytest.mark.parametrize("name", ["t.csv", "t.tsv"])
@pytest.mark.parametrize(
    ("nulls", "expected"),
    [
        (None, ["x", None, None, None, None, None]),
        (["."], ["x", "None", "-", "NA", None, None]),
        ([], ["x", "None", "-", "NA", ".", None]),
        ({"c": []}, ["x", "None", "-", "NA", ".", None]),
        ({"c": ["-", "."]}, ["x", "None", None, "NA", None, None]),
        ({"": ["x"], "y": []}, [None, "None", "-", "NA", ".", None]),
    ],
)
def test_a_columns_own_list_of_what_is_missing(cells, nulls, expected, name):
    values = ["x", "None", " - ", "NA", ".", " "]
    options = {} if nulls is None else {"nulls": nulls}
    got = cells(*values, **options).column("c").tolist()
    assert [None if nulls is None and v == "." else v for v in got] == expected


def test_a_number_may_be_a_columns_way_to_be_missing(cells):
    frame = cells("5", "-1", "NA", nulls={"c": ["-1", "NA"]})
    np.testing.assert_array_equal(frame.column("c"), [5, NAN, NAN])
    assert frame.column("y").tolist() == [0, 1, 2]
    assert "--null NA" in cells("x", "NA", nulls=["."]).notes[0]
    for nulls, said in (({"c": "NA"}, "nulls of column 'c' must be a list"), ({"c": [5]}, "got \\[5\\]")):
        with pytest.raises(ValueError, match=said):
            cells("5", nulls=nulls)


def test_json_and_parquet_have_own_lists_too(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"c": "NA", "d": " ?"}\n{"c": "x", "d": "y"}\n')
    assert read_table(path).column("c").tolist() == [None, "x"]
    assert read_table(path).column("d").tolist() == [None, "y"]
    assert read_table(path, nulls={"c": []}).column("c").tolist() == ["NA", "x"]


# ── truth, and spaces ──


def test_truth_is_one_in_every_spelling():
    assert truths(["True", "FALSE", " yes", "n"]) == {"True": True, "FALSE": False, " yes": True, "n": False}
    assert truths(["T", "f"]) == {"T": True, "f": False}
    assert truths(["T", "N"]) == truths(["yes", "maybe"]) == {}  # codes
    for train, later, unseen in (
        (["True", "False"], ["TRUE", "false", "x"], {"x": 1}),
        (["Yes", "No"], ["Y", "N", "1"], {}),
        (["Y", "N"], ["yes", "NO", "T"], {"T": 1}),
        (["WAHR", "FALSCH"], ["true", " FALSE ", "0"], {}),
        (["Private", "Gov"], [" Private", "Gov ", "gov"], {"gov": 1}),
        ([True, False], ["yes", "F", "x"], {"x": 1}),
    ):
        encoder, new = TableEncoder.fit(Frame.from_arrays({"c": train})), {}
        got = encoder.transform(Frame.from_arrays({"c": later}), new)
        np.testing.assert_array_equal(got[:, :2], encoder.transform(Frame.from_arrays({"c": train})))
        assert new == ({"c": unseen} if unseen else {})


def test_spellings_of_one_truth_in_training_are_one_level():
    column = {"c": ["True", "TRUE", "true", "no", "no"] * 2}
    encoder = TableEncoder.fit(Frame.from_arrays(column))
    assert encoder.feature_names == ["c = no", "c = true"]
    np.testing.assert_array_equal(encoder.transform(Frame.from_arrays(column))[1], [1, 1, 1, 0, 0] * 2)
    assert len(TableEncoder.fit(Frame.from_arrays({"c": ["N", "NO", "O"]})).feature_names) == 3  # winds
    target = TargetEncoder.fit(["Yes", "yes", "YES", "yes", "No", "no"], "y")
    assert target.classes == ["no", "yes"]
    assert target.codes(["y", "NO", "True"]).tolist() == [1, 0, 1]


def test_an_old_file_of_levels_is_matched_as_it_was():
    data = TableEncoder.fit(Frame.from_arrays({"c": ["a", "b"]})).to_json()
    data["columns"][0]["levels"] = [" ?", " Private", "Private", "TRUE", "True"]
    got = TableEncoder.from_json(data).transform(Frame.from_arrays({"c": [" Private", "Private", " ?", "True"]}))
    assert got.argmax(axis=0).tolist() == [1, 2, 0, 4]


# ── a table ──


def rows(tmp_path, name, *, flag, job, price, day):
    rng = np.random.default_rng(0)
    lines = ["flag, job, price, day, y"]
    for _ in range(60):
        true, x, days = rng.random() < 0.5, rng.integers(1, 90), int(rng.integers(28))
        lines.append(f"{flag[true]},{job[x % 3]},{price(x)},{day(days)},{'in' if true else 'out'}")
    (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path / name


def test_the_next_file_may_be_spelled_otherwise(tmp_path):
    first = rows(
        tmp_path, "a.csv", flag=["False", "True"], job=["Gov", "Private", "?"], price="${}".format,
        day=lambda i: str(np.datetime64("2024-01-01") + i),
    )  # fmt: skip
    model = train_table(first, "y", epochs=20, hidden=())
    assert any("'price' holds amounts in $" in note for note in model.notes)
    assert model.reading == {"units": {"price": "$"}}
    model.save(tmp_path / "m")
    other = rows(
        tmp_path, "b.csv", flag=[" FALSE", " TRUE"], job=[" Gov", " Private", " ?"], price=" {}.0 ".format,
        day=lambda i: f" {i + 1:02}-Jan-2024",
    )  # fmt: skip
    loaded = netwright.load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.predict_proba(other), model.predict_proba(first))
    euros = rows(tmp_path, "c.csv", flag=["f", "t"], job=["Gov"] * 3, price="{} €".format, day=lambda i: "2024-01-01")
    with pytest.raises(ValueError, match=r"'price' was in \$ in training"):
        loaded.predict(euros)


def test_many_texts_are_never_silent():
    rng = np.random.default_rng(0)
    names = rng.integers(0, 300, 600)
    table = {
        "price": [f"${i}.50" for i in rng.integers(0, 90, 600)], "city": [f"c{i}" for i in names],
        "kind": ["ab"[i % 2] for i in names], "y": names % 2,
    }  # fmt: skip
    notes = train_table(table, "y", epochs=1, hidden=()).notes
    (price,) = [note for note in notes if "'price'" in note]
    (city,) = [note for note in notes if "'city'" in note]
    assert "holds amounts in $" in price
    assert "different texts, such as 'c" in city
    assert not any("'kind'" in note for note in notes)
    told = train_table(table, "y", epochs=1, hidden=(), categorical=["price", "city"]).notes
    assert not any("'price'" in note or "'city'" in note for note in told)
