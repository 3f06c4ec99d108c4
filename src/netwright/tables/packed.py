"""Plain files out of packed ones, which may not grow beyond measure."""

import gzip
from pathlib import Path

from netwright.core.memory import memory
from netwright.tables import sql

HARMLESS = 2**27  # bytes unpacked that are taken whatever they were packed in
SWELLING = 100  # times its size that a file may unpack to beyond that: tables are packed to a third or a thirtieth
CHUNK = 2**20
LINE = 2**30  # bytes of the longest line of a .zst file


def unpacked(path: Path, packed: str, scratch: Path) -> Path:
    """A plain copy of a .gz or .zst file, or the file itself. ValueError, with both sizes, for one that swells."""
    if not packed:
        return path
    copied = scratch / "unpacked"
    if packed == ".gz":
        size = 0
        with gzip.open(path) as file, copied.open("wb") as copy:
            while piece := file.read(CHUNK):
                check_size(path, size := size + len(piece))
                copy.write(piece)
    else:
        _unpack_zst(path, copied)
    return copied


def check_size(path: Path, size: int, *, table: bool = False) -> None:
    """ValueError for a file that makes so many bytes, or more, of text or of a table: it would fill the memory, or is
    made to do so."""
    packed, most = path.stat().st_size, memory() // 2
    if size > most or size > max(HARMLESS, SWELLING * packed):
        why = f"half of the memory, {_shown(most)}" if size > most else f"{SWELLING} times its {_shown(packed)}"
        what, hint = ("become a table of", "") if table else ("unpack to", "; if that is right, unpack it first")
        raise ValueError(f"{path}: {_shown(packed)} {what} {_shown(size)} or more, above {why}{hint}")


def _unpack_zst(path: Path, copied: Path) -> None:
    """Line by line through DuckDB, as not every Python can unpack it; its lines are counted first."""
    plain = "header {0}false, quote {0}'', escape {0}'', delim {0}'\x01'"
    lines = f"read_csv({sql.file(path)}, auto_detect=false, columns={{'line': 'VARCHAR'}}, {plain.format('=')}"
    with sql.Database() as database:
        for long in ("", f", max_line_size={LINE}, buffer_size={LINE}"):
            try:
                size = database.row(f"select sum(strlen(line) + 1) from {lines}{long})")[0] or 0
            except sql.Refused:
                if long:
                    raise
                continue
            check_size(path, int(size))
            database.run(f"copy (from {lines}{long})) to {sql.text(str(copied))} (format csv, {plain.format('')})")
            return


def _shown(size: float) -> str:
    """'398 KiB', '2.4 GiB'."""
    unit = 0
    while size >= 1000:
        size, unit = size / 1024, unit + 1
    return f"{size:.3g} {('bytes', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB')[unit]}"
