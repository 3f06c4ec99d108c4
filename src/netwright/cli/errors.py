"""The one place of the command line where everything ends that went wrong: a sentence on stderr, and an exit code."""

import logging
import sys
import warnings
from typing import Any, NoReturn

import click

from netwright.cli.screen import Told, echo, note


class Netwright(click.Group):
    """The commands. A warning is a note on stderr; an error one line there and exit code 2, never a traceback."""

    def main(self, *args: Any, **options: Any) -> NoReturn:
        log, told = logging.getLogger("netwright"), Told()
        log.addHandler(told)
        options |= {"prog_name": "netwright", "standalone_mode": False}
        try:
            with warnings.catch_warnings():
                warnings.showwarning = lambda message, *where: note(" ".join(str(message).split()))
                code = super().main(*args, **options)  # where click takes care of a closed pipe
            sys.exit(code if isinstance(code, int) else 0)
        except click.Abort:
            fail("interrupted", 130)
        except click.ClickException as error:
            message = error.format_message()
            fail(message[:1].lower() + message[1:], 2)
        except OSError as error:
            fail(describe(error), 2)
        except MemoryError as error:
            fail(f"not enough memory: {error}" if str(error) else "not enough memory for this table and network", 2)
        except FloatingPointError as error:
            fail(f"{str(error).partition('. The network')[0]}; no model was written", 2)
        except ValueError as error:
            fail(str(error), 2)
        finally:
            log.removeHandler(told)


def fail(sentence: str, code: int) -> NoReturn:
    """One line on stderr, and the end."""
    echo(f"netwright: {' '.join(sentence.split())}", err=True)
    sys.exit(code)


def describe(error: OSError) -> str:
    """An OSError in words, without its number; some carry a whole sentence, others a file and the system's word."""
    if error.filename is not None:
        return f"{error.filename}: {(error.strerror or str(error)).lower()}"
    return error.strerror or str(error)
