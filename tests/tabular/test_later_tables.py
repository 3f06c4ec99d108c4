"""A later table that looks a little different from training's: it is read as that was, or refused, never otherwise."""

import numpy as np
import pytest
from click.testing import CliRunner

from netwright import TabularClassifier, read_table, train_table
from netwright.cli import main
from netwright.tables.frame import Frame
from netwright.tables.write import write_table

ROWS = range(60)


def trained(path, head, row, **options):
    """A model of a small file whose last column is the target y."""
    path.write_text("\n".join([f"{head};y", *(f"{row(i)};{i % 2}" for i in ROWS)]) + "\n")
    return train_table(path, "y", hidden=(), epochs=1, **options)


def later(tmp_path, *lines, name="later.csv"):
    path = tmp_path / name
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_is_asked_of_one_column_leaves_the_others_as_they_were(tmp_path):
    model = trained(
        tmp_path / "g.csv", "g;age", lambda i: f"{['None', 'x'][i % 3 > 0]};{i % 7}", reading={"nulls": {"g": []}}
    )
    model.save(tmp_path / "g.safetensors")
    table = str(later(tmp_path, "g;age", "None;3", "x;4"))

    def predicted(*words):
        result = CliRunner().invoke(main, ["predict", str(tmp_path / "g.safetensors"), table, *words])
        return result.exit_code, result.stdout, result.stderr

    assert predicted("--null", "age=-9") == predicted()
    assert predicted("--null", "g=None") != predicted()
    assert predicted("--date-format", "q=%d")[0] == 2
    assert "has no column 'q'" in predicted("--date-format", "q=%d")[2]


def test_a_date_format_for_all_takes_the_place_of_those_that_were_found(tmp_path):
    dates = "{1:02}/{0:02}/2024;{1:02}/{0:02}/2023"  # day and month of both
    model = trained(tmp_path / "d.csv", "day;until", lambda i: dates.format(1 + i % 12, 1 + i % 28))
    assert model.reading["date_format"] == {"day": "%d/%m/%Y", "until": "%d/%m/%Y"}
    model.save(tmp_path / "d.safetensors")

    def predicted(line, *words):
        table = later(tmp_path, "day;until", line)
        result = CliRunner().invoke(main, ["predict", str(tmp_path / "d.safetensors"), str(table), *words])
        assert result.exit_code == 0, result.stderr
        return result.stdout

    asked = predicted("05/03/2024;05/03/2023")
    assert predicted("03/05/2024;03/05/2023") != asked
    assert predicted("03/05/2024;03/05/2023", "--date-format", "%m/%d/%Y") == asked
    assert predicted("03/05/2024;05/03/2023", "--date-format", "day=%m/%d/%Y") == asked


@pytest.mark.parametrize(
    ("usual", "other", "said"),
    [
        (lambda i: f"0.{i + 10}", "12%", "had no sign in training, and '12%' has one"),
        (lambda i: f"${i}.5", "7 €", "was in $ in training, and '7 €' is not"),
    ],
)
def test_another_sign_is_refused(tmp_path, usual, other, said):
    model = trained(tmp_path / "t.csv", "p;k", lambda i: f"{usual(i)};{i % 3}")
    with pytest.raises(ValueError, match=r"column 'p' .*") as error:
        model.predict(later(tmp_path, "p;k", f"{other};1"))
    assert said in str(error.value)


def test_texts_have_the_marks_of_training(tmp_path):
    model = trained(tmp_path / "t.csv", "x;k", lambda i: f"{i},5;{i % 3}", reading={"decimal": ","})
    number, text = ({"x": x, "k": [1, 2]} for x in ([1.5, 20.25], ["1,5", "20,25"]))
    assert np.array_equal(model.predict_proba(number), model.predict_proba(text))
    for table in ({"x": ["1.500", "2,5"], "k": [1, 2]}, later(tmp_path, "x;k", "1.500;1", "2.500;2")):
        with pytest.raises(ValueError, match=r"column 'x', .*'1\.500' is no number with the decimal mark ','"):
            model.predict(table)


def test_cents_that_are_a_dash_say_which_mark_is_the_decimal_one(tmp_path):
    path = later(tmp_path, "m;y", "3,-;1", "1.101,-;2", "5,-;3")
    with pytest.raises(ValueError, match=r"'1\.101,-' looks like a number .*--decimal , --thousands \."):
        read_table(path)
    assert read_table(path, decimal=",", thousands=".").columns["m"].tolist() == [3, 1101, 5]


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_a_number_that_spells_a_gap_is_one_in_every_format(tmp_path, ending):
    frame = Frame.from_arrays({"p": [-999.0, 1.5, 2.5], "q": [1.0, 2.0, -999.0]})
    write_table(tmp_path / f"t.{ending}", frame)
    read = read_table(tmp_path / f"t.{ending}", nulls={"p": ["-999"]})
    assert np.isnan(read.columns["p"]).tolist() == [True, False, False]
    assert read.columns["q"].tolist() == [1, 2, -999]


def test_gaps_of_a_table_in_memory_are_those_of_training():
    price = [f"${i}.50" for i in ROWS]
    table = {"price": price, "p": ["unk" if i % 3 else "1.5" for i in ROWS], "y": [i % 2 for i in ROWS]}
    model = train_table(table, "y", hidden=(), epochs=1, reading={"nulls": ["unk"]})
    assert {name: kind for name, kind, *_ in model.encoder.describe()} == {"price": "number", "p": "number"}
    spelled = model.predict_proba({"price": ["$3.5"], "p": ["unk"]})
    assert np.array_equal(spelled, model.predict_proba({"price": [3.5], "p": [np.nan]}))
    assert np.array_equal(spelled, model.predict_proba({"price": [3.5], "p": ["NA"]}))


def test_the_option_that_is_named_for_an_odd_value_helps(tmp_path):
    rows = [f"{'NA' if i == 3 else i};{i % 2}" for i in ROWS]
    path = later(tmp_path, "age;y", *rows)
    with pytest.raises(ValueError, match=r"\(--null age=NA\)"):
        train_table(path, "y", reading={"nulls": {"age": ["-1"]}})
    model = train_table(path, "y", hidden=(), epochs=1, reading={"nulls": {"age": ["-1", "NA"]}})
    assert model.encoder.numbers == ["age"]


def test_an_estimator_says_what_nearly_is_a_number():
    table = {"price": [f"{i} kg" for i in ROWS], "code": [f"{i % 4}" for i in ROWS], "x": [i / 7 for i in ROWS]}
    y = [i % 2 for i in ROWS]
    with pytest.warns(UserWarning, match="looks like numbers") as told:
        TabularClassifier(random_state=0, max_time=1).fit(table, y)
    (said,) = [str(each.message) for each in told]
    assert said.startswith("column 'price' looks like numbers with a unit, such as '0 kg'")
    TabularClassifier(random_state=0, max_time=1, columns={"price": "category"}).fit(table, y)
