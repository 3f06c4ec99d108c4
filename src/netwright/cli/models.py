"""`netwright predict`, `evaluate` and `show`: what a model file is good for."""

import json
from typing import TYPE_CHECKING, Any

import click

import netwright
from netwright.cli.errors import note
from netwright.cli.options import MODEL, TABLE, how_to_read, reading_options
from netwright.cli.output import echo_scores, finite
from netwright.cli.outputs import check_outputs

if TYPE_CHECKING:
    from netwright.tabular.model import TableModel


@click.command()
@MODEL
@TABLE
@click.option(
    "-o", "--output", metavar="FILE", help="CSV, TSV, Parquet or JSON lines, by its ending. [default: stdout]"
)
@reading_options
def predict(model: str, table: str, output: str | None, **options: Any) -> None:
    """A prediction for each row of TABLE, in its order, by MODEL.

    A column named as the target holds the predicted class or value; of classes, a column `probability CLASS` for each
    holds how probable it is. As CSV to stdout, or to FILE.
    """
    from netwright.tables.column import spelling
    from netwright.tables.frame import Frame
    from netwright.tables.read import to_csv_text, write_table

    loaded = load_table_model(model)
    if output not in (None, "-"):
        check_outputs({"--output": output}, {"the table": table, "the model": model})
    loaded.reading |= how_to_read(options)
    notes: list[str] = []
    frame = loaded.read(table)
    A = loaded.outputs(frame, notes=notes)
    columns = {loaded.target.name: loaded.decode(A)}
    if loaded.target.task == "classification":
        columns |= {
            f"probability {spelling(each)}": column
            for each, column in zip(loaded.target.classes, loaded.probabilities(A).T, strict=True)
        }
    for sentence in [*frame.notes, *notes]:
        note(sentence)
    predictions = Frame(columns)
    if output not in (None, "-"):
        write_table(str(output), predictions)
        click.echo(f"{frame.n_rows:,} predictions written to {output}", err=True)
        return
    for text in to_csv_text(predictions):
        click.echo(text.encode(), nl=False)


@click.command()
@MODEL
@TABLE
@click.option("--json", "as_json", is_flag=True, help="The scores as one JSON object.")
@reading_options
def evaluate(model: str, table: str, as_json: bool, **options: Any) -> None:
    """How well MODEL predicts the rows of TABLE, which has the target's column."""
    loaded = load_table_model(model)
    loaded.reading |= how_to_read(options)
    notes: list[str] = []
    frame = loaded.read(table, with_target=True)
    scores = loaded.evaluate(frame, notes=notes)
    for sentence in [*frame.notes, *notes]:
        note(sentence)
    if as_json:
        click.echo(json.dumps(finite(scores) | {"rows": frame.n_rows}))
        return
    click.echo(f"scores of {loaded.target.name!r} on {frame.n_rows:,} rows:")
    echo_scores(scores)


@click.command()
@MODEL
def show(model: str) -> None:
    """What is in MODEL: its network, what becomes of each column, its settings and scores. Checkpoints too."""
    from netwright.files.container import read
    from netwright.loading import load

    kind, _, header = read(model)
    loaded = load(model)
    if kind == "checkpoint":
        done = header["history"]
        click.echo(f"a checkpoint after {len(done['cost'])} epochs; its best network so far:\n")
    click.echo(loaded.summary())


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
