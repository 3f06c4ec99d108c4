"""`netwright train`: from a table to a model file."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from netwright.cli.errors import describe, fail
from netwright.cli.options import ONE, TABLE, Duration, Sizes, how_to_read, reading_options, training_option
from netwright.cli.output import echo_course, echo_scores, introduce, outcome
from netwright.cli.outputs import check_outputs
from netwright.cli.screen import echo

if TYPE_CHECKING:
    from netwright.tabular.model import TableModel


@click.command()
@TABLE
@click.option("-t", "--target", metavar="COLUMN", help="The column to predict.")
@click.option("-o", "--model", metavar="FILE", help="Where the model goes. [default: TABLE's name + .safetensors]")
@click.option("--task", help="classification or regression. [default: what the target looks like]")
@click.option("--hidden", type=Sizes(), metavar="SIZES", help=f"{ONE} Hidden layers: 64,32 or none. [default: 64,32]")
@click.option("--activation", help=f"{ONE} Of the hidden layers. [default: silu]")
@click.option("--loss", help=f"{ONE} [default: logloss, cross_entropy or squared_error, as the target asks]")
@training_option("--epochs", "from its rows")
@training_option("--batch-size", "from the table's rows")
@training_option("--optimizer")
@training_option("--learning-rate", "the optimizer's own")
@training_option("--schedule")
@click.option("--dropout", type=float, help=f"{ONE} Share of each hidden layer left out at random. [default: 0]")
@click.option("--l2", type=float, help=f"{ONE} Penalty on large weights. [default: 1 / rows, or found]")
@click.option("--seed", type=int, help="Decides the held-out rows, first weights and shuffles. [default: 0]")
@click.option("--weights", metavar="COLUMN", help="A column with each row's weight.")
@click.option("--drop", metavar="COLUMN", multiple=True, help="A column not to learn from (repeatable).")
@click.option("--categorical", metavar="COLUMN", multiple=True, help="Numbers that are categories (repeatable).")
@click.option(
    "--keep-column",
    "keep_columns",
    metavar="COLUMN",
    multiple=True,
    help="To learn from though it numbers or names the rows (repeatable).",
)
@click.option("--drop-missing-target", is_flag=True, help="Leave out the rows in which the target is missing.")
@click.option("--validation", type=float, help="Share of rows held out; 0 for none. [default: 0.2]")
@training_option("--patience", "from rows")
@click.option("--time-limit", "max_seconds", type=Duration(), help="Such as 30s, 5m or 1h.")
@training_option("--clip-norm")
@training_option("--checkpoint", None, "", metavar="FILE")
@training_option("--resume", None, "", is_flag=True, type=bool)
@click.option("--report", metavar="FILE", help="A page (.html) or picture (.png, .svg, .pdf) on the training.")
@click.option("--no-live", is_flag=True, help="The report without the panel that predicts what one types in.")
@click.option("--quiet", is_flag=True, help="Nothing but the scores and where the model is.")
@click.option("--json", "as_json", is_flag=True, help="The outcome as one JSON object; no progress and no curve.")
@reading_options
def train(table: str, target: str | None, model: str | None, report: str | None, **options: Any) -> None:
    """Learn to predict a column of TABLE (CSV, TSV, Parquet or JSON lines) from the others.

    A mixture of networks learns it, and nothing need be chosen. An option marked (*) asks for one network instead.

    Writes one model file, which replaces a model that is there already once the new one is whole. Ctrl-C ends training,
    writes the best model so far, and exits with 0.
    """
    from netwright.cli.progress import Progress
    from netwright.tables.formats import without_endings
    from netwright.tabular.learn import asks_for_one, train_table

    reading, resume = how_to_read(options), options.pop("resume")
    live = not options.pop("no_live")
    silent = options.pop("quiet") | (as_json := options.pop("as_json"))
    options = {name: value for name, value in options.items() if value is not None}
    checkpoint = options.get("checkpoint")
    path = without_endings(Path(table).name) + ".safetensors" if model is None else model
    if target is None:
        from netwright.tables.read import read_table

        raise ValueError(f"say which column to predict with --target; {table} has {read_table(table, **reading).names}")
    if resume and checkpoint is None:
        raise ValueError("--resume goes on from a checkpoint: name it with --checkpoint FILE")
    if report is not None and options.get("validation") == 0:
        raise ValueError("--report shows rows that were held out: leave it out, or --validation 0")
    check_outputs({"--model": path, "--checkpoint": checkpoint, "--report": report}, {"the table": table})

    progress = Progress(silent)

    def ready(model: "TableModel") -> None:
        from netwright.files.atomic import check_writable

        check_writable(path, model.nbytes + 100_000)
        if not silent:
            introduce(model, table)
        progress.begin(model.settings.get("epochs"), model.settings["max_seconds"])

    options["resume"] = resume
    one = asks_for_one(options)
    options |= {"callbacks": [progress]} if one else {"tell": progress.tell}
    try:
        with progress:
            made = train_table(table, target, **options, reading=reading, ready=ready)
    except KeyboardInterrupt:
        if not progress.started:
            raise
        first, kept = "epoch" if one else "network", f"; --resume goes on from {checkpoint}" if checkpoint else ""
        fail(f"interrupted before the first {first} was done; no model was written{kept}", 130)
    save(made, path)
    if not silent:
        echo_course(made)
    if report is not None:
        from netwright.cli.report import write_report

        write_report(made, report, table, live)
    if as_json:
        click.echo(json.dumps(outcome(made, path, report)))
        return
    if made.scores:
        held = made.settings["held_out"]
        echo(f"scores on the {held:,} row{'s' * (held > 1)} held out:")
        echo_scores(made.scores)
    echo(f"model written to {path}" + (f", report to {report}" if report else ""))


def save(model: "TableModel", path: str) -> None:
    """Write the model; if that fails now, after all that work, into the system's temporary directory."""
    try:
        model.save(path)
    except OSError as error:
        import tempfile

        spare = Path(tempfile.mkdtemp(prefix="netwright-"), Path(path).name)
        model.save(spare)
        raise OSError(f"{describe(error)}; the model is in {spare} instead") from None
