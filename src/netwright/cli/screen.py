"""What people read goes through here, so that no name of a column, a class or a file can drive their terminal.

Data on stdout that is for programs (predictions, JSON) does not.
"""

import logging
import shutil
import sys

import click

from netwright.core.arguments import visible


def echo(text: str, *, err: bool = False) -> None:
    """Lines on stdout, or on stderr."""
    click.echo("\n".join(map(visible, text.split("\n"))), err=err)


def say(text: str) -> None:
    """One line on stderr, broken between words where a terminal is too narrow for it."""
    text = visible(text)
    if sys.stderr.isatty():
        text = click.wrap_text(text, shutil.get_terminal_size().columns, subsequent_indent="  ")
    click.echo(text, err=True)


def note(sentence: str) -> None:
    say(f"note: {sentence}")


class Told(logging.Handler):
    """What the library logs, on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        echo(self.format(record), err=True)
