"""DuckDB, which reads and writes tables by the million rows: its only door."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class Refused(Exception):
    """What DuckDB says of a statement that it could not run, in its first line."""


class Database:
    """An empty database in memory, for statements. `Refused` when one fails."""

    def __enter__(self) -> "Database":
        import duckdb

        self._error, self._no_memory = duckdb.Error, duckdb.OutOfMemoryException
        with self._telling():
            # An extension that is not there shall be an error, not an attempt to download it.
            self._connection = duckdb.connect(config={"threads": 2, "autoinstall_known_extensions": False})
        self.run("set enable_progress_bar = false")
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.close()

    def run(self, statement: str, data: dict[str, Any] | None = None) -> None:
        """Run it; it may name `data`, arrays of one length by name, which DuckDB finds among the variables here."""
        with self._telling():
            self._connection.execute(statement)

    def rows(self, statement: str) -> list[Any]:
        """All rows of what it selects, as tuples."""
        with self._telling():
            found: list[Any] = self._connection.execute(statement).fetchall()
            return found

    def row(self, statement: str) -> Any:
        """The first row of what it selects."""
        return self.rows(statement)[0]

    def columns(self, statement: str) -> dict[str, Any]:
        """What it selects, as arrays by name."""
        with self._telling():
            found: dict[str, Any] = self._connection.execute(statement).fetchnumpy()
            return found

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except self._error as error:
            line = re.sub(r"^[\w ]*Error: ", "", str(error).strip().splitlines()[0])
            raise (MemoryError if isinstance(error, self._no_memory) else Refused)(line) from None


def text(value: str) -> str:
    """A SQL string."""
    return "'" + value.replace("'", "''") + "'"


def name(value: str) -> str:
    """A SQL name."""
    return '"' + value.replace('"', '""') + '"'


def file(path: Path) -> str:
    """A SQL string that names this one file, even if there is a * or [ in its name."""
    return text(re.sub(r"[*?\[]", r"[\g<0>]", str(path.absolute())))
