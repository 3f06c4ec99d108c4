"""The command line: `netwright train`, `predict`, `evaluate`, `show`, `xor`, `warmup`.

Results go to stdout, everything else to stderr. Whatever is wrong is one sentence on stderr and exit code 2. Heavy
modules are loaded by the command that needs them, so that `--help` is there at once.
"""

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import netwright
from netwright.cli.errors import Netwright, describe, fail, note
from netwright.cli.options import ONE, Duration, Sizes, how_to_read, reading_options, training_option
from netwright.cli.output import echo_course, echo_scores, finite, introduce, outcome, write_report

if TYPE_CHECKING:
    from netwright.tabular.model import TableModel

# ── the commands ─────────────────────────────────────────────────────────────────────────────────────────────────────

TABLE_ENDING = r"(\.(csv|tsv|txt|parquet|pq|jsonl|ndjson|json|gz|zst))+$"
REPLACEABLE = {"--model": ("model", "table", "network"), "--checkpoint": ("checkpoint",)}  # the kinds of file
TABLE = click.argument("table", type=click.Path())
MODEL = click.argument("model", type=click.Path())


@click.group(cls=Netwright, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(netwright.__version__, message="netwright %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Feed-forward neural networks, written out by hand: from a table to a model and its predictions."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


# ── train ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@main.command()
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
@click.option("--l2", type=float, help=f"{ONE} Penalty on large weights. [default: 1 / rows]")
@click.option("--seed", type=int, help="Decides the held-out rows, first weights and shuffles. [default: 0]")
@click.option("--weights", metavar="COLUMN", help="A column with each row's weight.")
@click.option("--drop", metavar="COLUMN", multiple=True, help="A column not to learn from (repeatable).")
@click.option("--categorical", metavar="COLUMN", multiple=True, help="Numbers that are categories (repeatable).")
@click.option("--validation", type=float, help="Share of rows held out; 0 for none. [default: 0.2]")
@training_option("--patience", "from rows")
@click.option("--time-limit", "max_seconds", type=Duration(), help="Such as 30s, 5m or 1h.")
@training_option("--clip-norm")
@training_option("--checkpoint", metavar="FILE")
@training_option("--resume", is_flag=True, type=bool)
@click.option("--report", metavar="FILE", help="A page (.html) or picture (.png, .svg, .pdf) on the training.")
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
    from netwright.tabular.learn import ABOUT_ONE, train_table

    reading, resume = how_to_read(options), options.pop("resume")
    silent = options.pop("quiet") | (as_json := options.pop("as_json"))
    options = {name: value for name, value in options.items() if value is not None}
    checkpoint = options.get("checkpoint")
    path = model or re.sub(TABLE_ENDING, "", Path(table).name) + ".safetensors"
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

    one = resume or not options.keys().isdisjoint(ABOUT_ONE)
    options |= {"resume": resume, "callbacks": [progress]} if one else {"tell": progress.tell}
    try:
        with progress:
            made = train_table(table, target, **options, reading=reading, ready=ready)
        if one and not len(made.history):
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        if not progress.started:
            raise
        first = "epoch" if one else "network"
        fail(f"interrupted before the first {first} was done; no model was written", 130)
    save(made, path)
    if not silent:
        echo_course(made)
    if report is not None:
        write_report(made, report, table)
    if as_json:
        click.echo(json.dumps(outcome(made, path, report)))
        return
    if made.scores:
        held = made.settings["held_out"]
        click.echo(f"scores on the {held:,} row{'s' * (held > 1)} held out:")
        echo_scores(made.scores)
    click.echo(f"model written to {path}" + (f", report to {report}" if report else ""))


def check_outputs(outputs: dict[str, str | None], inputs: dict[str, str]) -> None:
    """ValueError or OSError, before any work, for a file that could not be written or would take another's place."""
    from netwright.files.atomic import check_writable

    seen = {os.path.realpath(path): name for name, path in inputs.items()}
    for name, path in outputs.items():
        if path is None:
            continue
        if (real := os.path.realpath(path)) in seen:
            raise ValueError(f"{name} {path} is {seen[real]} itself; give it another name")
        seen[real] = f"the file of {name}"
        if name == "--report":
            from netwright.draw.page import check_suffix

            check_suffix(path)
        check_writable(path)
        if name in REPLACEABLE:
            check_replaceable(name, path)


def check_replaceable(name: str, path: str) -> None:
    """ValueError when a file is there already that is not of the kind that would take its place."""
    from netwright.files.container import read

    try:
        if not Path(path).exists() or not Path(path).stat().st_size or read(path)[0] in REPLACEABLE[name]:
            return
    except ValueError:
        pass
    what = f"{path} is there already and is no {REPLACEABLE[name][0]} that this netwright can read"
    raise ValueError(f"{name}: {what}; move it away or give another name")


def save(model: "TableModel", path: str) -> None:
    """Write the model; if that fails now, after all that work, into the system's temporary directory."""
    try:
        model.save(path)
    except OSError as error:
        import tempfile

        spare = Path(tempfile.mkdtemp(prefix="netwright-"), Path(path).name)
        model.save(spare)
        raise OSError(f"{describe(error)}; the model is in {spare} instead") from None


# ── predict, evaluate, show ──────────────────────────────────────────────────────────────────────────────────────────


@main.command()
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


@main.command()
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


@main.command()
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


# ── xor ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


@main.command()
@click.option("--epochs", type=click.IntRange(1), default=1500, show_default=True)
@click.option("--seed", type=click.IntRange(0, 2**32 - 1), default=0, show_default=True)
@click.option("--plot", metavar="FILE", help="Draw the cost curve into a picture too (.png, .svg or .pdf).")
def xor(epochs: int, seed: int, plot: str | None) -> None:
    """The article's story: a network of two layers learns the exclusive or."""
    from netwright.cli.progress import curve
    from netwright.cli.xor_story import X, Y, learn, verdict

    if plot is not None:
        from netwright.draw.page import PICTURES, check_suffix

        check_suffix(plot, PICTURES)
        check_outputs({"--plot": plot}, {})
    click.echo(f"2 inputs, 3 tanh neurons, 1 sigmoid neuron; learning rate 0.1, seed {seed}", err=True)

    def tell(epoch: int, cost: float) -> None:
        if epoch in (1, epochs) or epoch * 10 // epochs > (epoch - 1) * 10 // epochs:
            click.echo(f"epoch {epoch:>{len(str(epochs))}}  cost {cost:.8f}", err=True)

    history, A = learn(epochs, seed, tell)
    click.echo(curve({"cost": history.cost}), err=True)
    for x, y, a in zip(X.T, Y[0], A[0], strict=True):
        click.echo(f"{x[0]} xor {x[1]} = {y}   predicted {a:.4f}   {verdict(y, a)}")
    click.echo(f"cost {history.cost[-1]:.8f} after {epochs:,} epochs")
    if any(verdict(y, a) != "right" for y, a in zip(Y[0], A[0], strict=True)):
        click.echo("Not learnt yet: some first weights lead to where the slope is almost flat, others need longer.")
        click.echo("Try `netwright xor --seed 2`, which gets there in 1500 epochs.")
    if plot is not None:
        history.plot(plot)
        click.echo(f"cost curve written to {plot}")


# ── warmup ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@main.command()
def warmup() -> None:
    """Compile the fused engine ahead, for every activation, loss and optimizer (in a container's image, say).

    From then on training takes it for all but the smallest jobs, since all that is left to do is to load it.
    """
    from netwright.engines import cache_directory, warm_up

    try:
        import netwright.engines.fused  # noqa: F401
    except ImportError as error:
        raise click.ClickException(
            f"there is nothing to compile: the fused engine needs Numba ({error}); training goes on plain NumPy"
        ) from error
    place = cache_directory()
    click.echo("compiling for float64 and float32; this takes a minute or two", err=True)
    click.echo(f"compiled in {warm_up():.0f} s, kept in {place}; training takes it for all but the smallest jobs now")
