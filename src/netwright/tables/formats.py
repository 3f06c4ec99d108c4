"""Which format a table's file has: its name's ending says so."""

from collections.abc import Collection
from pathlib import Path

FORMATS = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "json", ".ndjson": "json", ".json": "json",
}  # fmt: skip
PACKINGS = (".gz", ".zst")  # of text, that are read


def format_of(path: Path, packings: Collection[str]) -> tuple[str, str]:
    """('csv', 'json' or 'parquet'; how it is packed), told by the name's ending."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in packings else ""
    form = FORMATS.get(suffixes[-1]) if suffixes else None
    if form is None or (packed and form == "parquet"):
        known = f"{', '.join(FORMATS)}, text also {', '.join(packings)}"
        raise ValueError(f"{path}: the ending tells the format; known are {known}")
    return form, packed


def caseless(name: str) -> bytes:
    """What is alike for names that Parquet and JSON lines cannot both have, as DuckDB writes them: A and a."""
    return name.encode(errors="surrogatepass").lower()
