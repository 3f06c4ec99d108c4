"""`netwright predict`, `evaluate` and `show`: what a model file is good for."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import netwright
from netwright.cli.options import MODEL, TABLE, how_to_read, reading_options
from netwright.cli.output import echo_scores, finite, unfamiliar
from netwright.cli.outputs import check_outputs
from netwright.cli.screen import echo, note

if TYPE_CHECKING:
    from netwright.tables.frame import Frame
    from netwright.tabular.model import TableModel


@click.command()
@MODEL
@TABLE
@click.option(
    "-o", "--output", metavar="FILE", help="CSV, TSV, Parquet or JSON lines, by its ending. [default: stdout]"
)
@click.option(
    "--keep",
    metavar="NAMES",
    multiple=True,
    help="Columns of TABLE to write before the predictions: id,name, or all. (repeatable)",
)
@click.option("--interval", metavar="PERCENT", type=float, help="Say within what the truth is, as surely as that: 90.")
@click.option("--familiarity", is_flag=True, help="Say how like those learned from each row is, from 1 to 0.")
@click.option("--raw", is_flag=True, help="Write texts as they are, though a spreadsheet may compute them.")
@reading_options
def predict(
    model: str,
    table: str,
    output: str | None,
    keep: tuple[str, ...],
    interval: float | None,
    familiarity: bool,
    raw: bool,
    **options: Any,
) -> None:
    """A prediction for each row of TABLE, in its order, by MODEL.

    A column named as the target holds the predicted class or value; of classes, a column `probability CLASS` for each
    holds how probable it is. Where such a name is taken, by a column of --keep say, it is another, which a note says.

    With --interval 90 columns `TARGET low` and `TARGET high` say between what the true value is in 90 of 100 rows; of
    classes a column `TARGET set` says among which: A | B.

    With --familiarity a last column `familiarity` says which share of the rows learned from is as far out, or farther:
    of rows like them 5 in 100 have 0.05 or less, and one that is out of place has less.

    As CSV to stdout, or to FILE. In CSV a text that a spreadsheet would take for a formula has a ' before it.
    """
    from netwright.tables.formats import PACKINGS, format_of
    from netwright.tables.read import read_table
    from netwright.tables.spreadsheet import disarmed
    from netwright.tables.write import to_csv_text, write_table
    from netwright.tabular.predictions import chosen

    loaded, path = load_table_model(model), None if output in (None, "-") else output
    level = None if interval is None else _level(loaded, interval)
    if path is not None:
        check_outputs({"--output": path}, {"the table": table, "the model": model})
    as_csv = path is None or format_of(Path(os.path.realpath(path)), (".gz",))[0] == "csv"
    notes: list[str] = []
    loaded, frame = _read(loaded, table, how_to_read(options))
    names = chosen(frame, keep)
    if names and as_csv and format_of(Path(table), PACKINGS)[0] == "csv":  # then as the file has them
        spelled = read_table(table, **loaded.reading, spelled=True)
        kept = spelled.drop(set(spelled.names) - set(names))
    else:
        kept = frame.drop(set(frame.names) - set(names))
    predictions = loaded.predictions(
        frame, keep=kept, interval=level, familiarity=familiarity, cased=as_csv, notes=notes
    )
    if familiarity:
        notes.append(unfamiliar(predictions.column(predictions.names[-1])))
    if as_csv and not raw:
        predictions, shown = disarmed(predictions)
        if shown:
            notes.append(f"a spreadsheet would compute {shown!r}: such texts have a ' before them (not with --raw)")
    for sentence in [*frame.notes, *notes]:
        note(sentence)
    if path is not None:
        write_table(path, predictions)
        echo(f"{frame.n_rows:,} predictions written to {path}", err=True)
        return
    for text in to_csv_text(predictions):
        if sys.stdout.isatty():
            echo(text.removesuffix("\n"))
        else:
            click.echo(text.encode(), nl=False)


@click.command()
@MODEL
@TABLE
@click.option("--drop-missing-target", is_flag=True, help="Leave out the rows in which the target is missing.")
@click.option("--json", "as_json", is_flag=True, help="The scores as one JSON object.")
@reading_options
def evaluate(model: str, table: str, drop_missing_target: bool, as_json: bool, **options: Any) -> None:
    """How well MODEL predicts the rows of TABLE, which has the target's column."""
    from netwright.tables.target import with_target

    loaded, read = _read(load_table_model(model), table, how_to_read(options), with_target=True)
    frame, left_out = with_target(read, loaded.target.name, drop_missing_target)
    scores, notes = loaded.scores_of(frame)
    for sentence in [*frame.notes, *left_out, *notes]:
        note(sentence)
    if as_json:
        click.echo(json.dumps(finite(scores) | {"rows": frame.n_rows}))
        return
    echo(f"scores of {loaded.target.name!r} on {frame.n_rows:,} rows:")
    echo_scores(scores)


@click.command()
@MODEL
def show(model: str) -> None:
    """What is in MODEL: its network, what becomes of each column, its settings and scores. Checkpoints too."""
    from netwright.files.container import read
    from netwright.loading import load

    kind, _, header = read(model)
    if kind == "checkpoint of a mixture":
        from netwright.tabular.learners import how_far

        echo("\n".join(how_far(header)))
        return
    loaded = load(model)
    if kind == "checkpoint":
        done = header["history"]
        echo(f"a checkpoint after {len(done['cost'])} epochs; its best network so far:\n")
    echo(loaded.summary())


def _level(model: "TableModel", percent: float) -> float:
    """The percent as a probability; ValueError where it is none, or the model cannot tell for it."""
    from netwright.core.arguments import number
    from netwright.uncertainty.margins import checked

    return checked(model.network.margins, number("--interval", percent, 0, 100, above=True) / 100)


def _read(
    model: "TableModel", table: str, asked: dict[str, Any], *, with_target: bool = False
) -> tuple["TableModel", "Frame"]:
    """The model that reads tables as asked, and the table. ValueError where something is asked of an unknown column.

    A column's own nulls and dates are as they were in training unless that column is named; but a date format for all
    takes the place of all that were found then, as another file may be written otherwise throughout.
    """
    from netwright.tables.text import by_column

    said = {name: by_column(asked[name]) for name in ("nulls", "date_format") if name in asked}
    before = {name: by_column(model.reading.get(name)) for name in said}
    if "" in said.get("date_format", ()):
        before["date_format"] = {}
    model = replace(model, reading=model.reading | asked | {name: before[name] | own for name, own in said.items()})
    frame = model.read(table, with_target=with_target)
    for name in set().union(*said.values()) - {"", model.target.name}:
        frame.column(name)
    return model, frame


def load_table_model(path: str) -> "TableModel":
    """The model that `netwright train` wrote; ValueError for another kind of file."""
    from netwright.loading import load
    from netwright.tabular.model import TableModel

    loaded = load(path)
    if isinstance(loaded, TableModel):
        return loaded
    what = "a bare network" if isinstance(loaded, netwright.Network) else f"an estimator, {type(loaded).__name__}"
    raise ValueError(
        f"{path} holds {what}, which knows no columns; give a model that `netwright train` wrote "
        f"(in Python, netwright.load({path!r}).predict(X) takes arrays)"
    )
