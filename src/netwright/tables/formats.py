"""Which format a table's file has: its name's ending says so."""

import re
from collections.abc import Collection
from pathlib import Path

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
}  # fmt: skip
PACKINGS = (".gz", ".zst")  # of text, that are read


def format_of(path: Path, packings: Collection[str]) -> tuple[str, str]:
    """('csv', 'json' or 'parquet'; how it is packed), told by the name's ending."""
    ending, packed = _endings(path, packings)
    form = FORMATS.get(ending)
    if form is None or (packed and form == "parquet"):
        known = f"{', '.join(FORMATS)}, text also {', '.join(packings)}"
        raise ValueError(f"{path}: the ending tells the format; known are {known}")
    return form, packed


def tabbed(path: Path) -> bool:
    """Whether a file of CSV has tabs between its fields, told by the name's ending."""
    return _endings(path, PACKINGS)[0] == ".tsv"


def without_endings(name: str) -> str:
    """A file's name without what tells the format: 't' of 't.csv.gz'."""
    return re.sub(rf"({'|'.join(map(re.escape, (*FORMATS, *PACKINGS)))})+$", "", name)


def _endings(path: Path, packings: Collection[str]) -> tuple[str, str]:
    """('.csv', '.gz'), in lower case; '' for what is not there."""
    suffixes = ["", *(suffix.lower() for suffix in path.suffixes)]
    packed = suffixes.pop() if suffixes[-1] in packings else ""
    return suffixes[-1], packed


def caseless(name: str) -> bytes:
    """What is alike for names that Parquet and JSON lines cannot both have, as DuckDB writes them: A and a."""
    return name.encode(errors="surrogatepass").lower()
