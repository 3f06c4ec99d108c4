"""`netwright export`: a model as a program for somewhere else."""

from typing import Any

import click

from netwright.cli.options import MODEL
from netwright.cli.outputs import check_outputs
from netwright.cli.screen import echo


@click.command()
@MODEL
@click.option(
    "--to", "format", metavar="FORMAT", help="onnx, c, python, javascript, sql or sklearn. [default: by FILE]"
)
@click.option("-o", "--output", metavar="FILE", required=True, help="Where it goes; what belongs to it goes beside it.")
@click.option("--numpy", is_flag=True, default=None, help="python: with NumPy, many rows at once.")
@click.option("--float32", is_flag=True, default=None, help="c: computed in float.")
@click.option("--int8", is_flag=True, default=None, help="c: weights of one byte, less exact; how much is said.")
@click.option("--main", is_flag=True, default=None, help="c: with a main that reads a CSV.")
@click.option("--dialect", metavar="NAME", help="sql: duckdb or sqlite. [default: duckdb]")
@click.option("--table", metavar="NAME", help="sql: the table to score. [default: data]")
def export(model: str, format: str | None, output: str, **options: Any) -> None:
    """Write MODEL as a program that runs without netwright, and prove it.

    What was written is run on 256 rows, with gaps, unseen categories and extremes, and kept only if it gives the
    model's own numbers; the rows and the right answers are written beside it, NAME.test.json, as a test for the other
    side.
    """
    from netwright.loading import load

    check_outputs({"--output": output}, {"the model": model})
    given = {name: value for name, value in options.items() if value is not None}
    proof = load(model).export(output, format, **given)
    for path in proof.files:
        echo(f"written: {path} ({path.stat().st_size:,} bytes)")
    echo(str(proof))
