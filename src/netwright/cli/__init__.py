"""The command line: `netwright train`, `predict`, `export` and the others; a file a command, or three.

Results go to stdout, everything else to stderr. Whatever is wrong is one sentence on stderr and exit code 2. Heavy
modules are loaded by the command that needs them, so that `--help` is there at once.
"""

import click

import netwright
from netwright.cli.errors import Netwright
from netwright.cli.export import export
from netwright.cli.models import evaluate, predict, show
from netwright.cli.train import train
from netwright.cli.warmup import warmup
from netwright.cli.xor import xor


@click.group(cls=Netwright, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(netwright.__version__, message="netwright %(version)s")
@click.pass_context
def main(context: click.Context) -> None:
    """Feed-forward neural networks, written out by hand: from a table to a model and its predictions."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (train, predict, evaluate, show, export, xor, warmup):
    main.add_command(command)
