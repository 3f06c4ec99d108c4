"""What the command line's options mean: lists of sizes, times, and how a table is to be read."""

import math
import re
from collections.abc import Callable, Collection
from typing import Any

import click

from netwright.core.arguments import path, whole
from netwright.training.options import CHECKS, TrainingOptions

ONE = "(*)"  # what an option of one network begins with in the help
TABLE = click.argument("table", type=click.Path())
MODEL = click.argument("model", type=click.Path())
SEPARATORS = {"delimiter", "decimal", "thousands"}


class Sizes(click.ParamType[Any]):
    """`64,32`, or `none` for no hidden layer."""

    name = "sizes"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        if not isinstance(value, str):
            return value
        if value.strip().lower() in ("none", ""):
            return ()
        try:
            return tuple(int(size) for size in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is not a list of sizes such as 64 or 64,32 (or none)", param, ctx)


class Duration(click.ParamType[Any]):
    """Seconds, or `30s`, `5m`, `1.5h`."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> Any:
        found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*([smh]?)\s*", str(value))
        seconds = float(found[1]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found[2]] if found else math.nan
        if not seconds > 0:
            self.fail(f"{value!r} is not a time such as 30 (seconds), 30s, 5m or 1h", param, ctx)
        return seconds


def training_option(
    flag: str, default: str | None = "", whose: str = f"{ONE} ", **attributes: Any
) -> Callable[..., Any]:
    """An option of `TrainingOptions`, in its words, for one network unless `whose` is empty.

    default: a table's own, or None to say none.
    """
    name = flag.strip("-").replace("-", "_")
    words, check, usual = TrainingOptions.words(name), CHECKS.get(name), getattr(TrainingOptions, name)
    kinds: dict[Any, type] = {whole: int, path: str}
    kind = None if check is None else kinds.get(check, float)
    shown = "" if default is None else f" [default: {default or ('no' if usual is None else usual)}]"
    text = f"{whose}{words[0].upper()}{words[1:]}.{shown}"
    return click.option(flag, **{"type": kind, "help": text} | attributes)


def reading_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How a text file is to be read."""
    for option in reversed(
        (
            click.option("--delimiter", help="What separates the fields. [default: found out]"),
            click.option("--decimal", help="The decimal separator. [default: .]"),
            click.option("--thousands", help="The thousands separator, if there is one."),
            click.option("--encoding", help="The text's encoding. [default: utf-8]"),
            click.option(
                "--null",
                "nulls",
                metavar="[COLUMN=]SPELLING",
                multiple=True,
                help="How a missing value is spelled, besides the empty cell; '' for in no other way, COLUMN= for "
                "so in that column (repeatable). [default: NA, N/A, null, NaN, None, ?, - and such]",
            ),
            click.option(
                "--date-format",
                "date_format",
                metavar="[COLUMN=]FORMAT",
                multiple=True,
                help="How dates are written, such as %d/%m/%Y (repeatable). [default: found out]",
            ),
            click.option("--skip-lines", type=int, metavar="N", help="Lines above the table. [default: 0]"),
            click.option("--units-line", is_flag=True, help="The line below the header holds units: skip it."),
        )
    ):
        command = option(command)
    return command


def how_to_read(options: dict[str, Any]) -> dict[str, Any]:
    """Takes the reading options that were given out of `options`."""
    names = ("delimiter", "decimal", "thousands", "encoding", "nulls", "date_format", "skip_lines", "units_line")
    given = {name: value for name in names if (value := options.pop(name)) not in (None, (), False)}
    for name in SEPARATORS & set(given):
        given[name] = "\t" if given[name] == "\\t" else given[name]
        if len(given[name]) != 1:
            raise ValueError(f"--{name} must be one character (\\t for a tab), got {given[name]!r}")
    if "nulls" in given:
        lists = _by_column(given["nulls"])
        given["nulls"] = lists if lists.keys() - {""} else lists[""]
    if "date_format" in given:
        given["date_format"] = {name: forms[-1] for name, forms in _by_column(given["date_format"]).items()}
    return given


def _by_column(values: Collection[str]) -> dict[str, list[str]]:
    """What is said of each column, as `COLUMN=VALUE`, and under '' of all others."""
    said: dict[str, list[str]] = {}
    for value in values:
        name, mark, own = value.partition("=")
        of_one = bool(mark and name) and "%" not in name
        said.setdefault(name if of_one else "", []).append(own if of_one else value)
    return said
