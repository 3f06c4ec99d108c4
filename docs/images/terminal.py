"""Makes terminal.svg, the README's picture: runs `netwright train` in a terminal of its own and draws what stays on it.

To run in an environment with netwright, on Linux or macOS: `python docs/images/terminal.py`.
"""

import os
import pty
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

HERE = Path(__file__).resolve().parent
PENGUINS = HERE.parents[1] / "examples" / "penguins.csv"
COMMAND = "netwright train penguins.csv --target species --report penguins.html"
WIDTH = 100

THEME = TerminalTheme(
    (250, 250, 248),
    (40, 42, 46),
    [(40, 42, 46), (178, 48, 48), (32, 122, 60), (150, 105, 10), (28, 84, 178), (130, 50, 140), (10, 115, 130),
     (110, 112, 116)],
    [(110, 112, 116), (205, 60, 60), (40, 145, 72), (180, 130, 20), (40, 105, 215), (155, 70, 165), (20, 140, 155),
     (60, 62, 66)],
)  # fmt: skip

SVG = """<svg class="rich-terminal" viewBox="0 16 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
  font-size: {char_height}px; line-height: {line_height}px; font-variant-east-asian: full-width; }}
{styles}
</style>
<defs><clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" /></clipPath>
{lines}</defs>
<rect x="0" y="16" width="{width}" height="{height}" rx="8" fill="#fafaf8" />
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">{matrix}</g>
</g>
</svg>
"""


def run(command: str, directory: str) -> str:
    """What the command writes to a terminal of WIDTH columns, control sequences and all."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(directory)
        size = {"COLUMNS": str(WIDTH), "LINES": "50", "TERM": "xterm-256color"}
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        os.execvpe("sh", ["sh", "-c", command], os.environ | size | {"PATH": path})
    written = b""
    while True:
        try:
            part = os.read(terminal, 65536)
        except OSError:  # Linux's way of saying that the other side has closed
            break
        if not part:
            break
        written += part
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        sys.exit(written.decode())
    return written.decode()


def screen(written: str) -> list[str]:
    """The lines that stay, once the live line's erasing and moving up are done; colours are kept."""
    lines, row = [""], 0
    for part in re.split(r"(\x1b\[\??\d*[AKhl]|\r\n|\r|\n)", written):
        if part in ("\r\n", "\n"):
            row += 1
            lines += [""] * (row == len(lines))
        elif part == "\r":
            pass  # an erasure follows, or a line's end
        elif re.fullmatch(r"\x1b\[\d*K", part):
            lines[row] = ""
        elif re.fullmatch(r"\x1b\[\d*A", part):
            row -= int(part[2:-1] or 1)
        elif not part.startswith("\x1b[?"):
            lines[row] += part
    while lines and not lines[-1]:
        lines.pop()
    return lines


def main() -> None:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / PENGUINS.name).write_bytes(PENGUINS.read_bytes())
        lines = screen(run(COMMAND, directory))
    with Path(os.devnull).open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        for line in [f"\x1b[1m$ {COMMAND}\x1b[0m", *lines]:
            console.print(Text.from_ansi(line), soft_wrap=True, highlight=False)
        console.save_svg(str(HERE / "terminal.svg"), theme=THEME, code_format=SVG, unique_id="netwright")


if __name__ == "__main__":
    main()
