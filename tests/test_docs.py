"""The documentation is true: its Python runs, its commands run and show what it says, its paths and links exist.

Each page's blocks run in their order, in one namespace and one temporary directory with examples/ in it:

    ```python     is executed; a ```text block right after it is what it prints
    ```console    its `$ netwright …` commands are executed; the lines below each are what it shows

In what is shown, … stands for anything, and numbers may differ a little, as they do between processors.
"""

import contextlib
import importlib.util
import io
import json
import re
import shlex
import shutil
import tomllib
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest
from click.testing import CliRunner

import netwright
from netwright.cli import main

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])
RUN = [page for page in PAGES if "```python" in page.read_text() or "```console" in page.read_text()]
TARGETS = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
OTHERS = {"git", "cd", "pip", "python", "kill", ".ci/run"}  # commands that are shown and not run


def name_of(page):
    return str(page.relative_to(ROOT))


# ── the pages' parts ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Block:
    language: str
    text: str
    line: int  # of its first line, from 1
    end: int

    @property
    def where(self):
        return f"line {self.line}"


def blocks(page):
    """The fenced blocks of a page."""
    found, opened = [], None
    for number, line in enumerate(page.read_text().splitlines(), 1):
        if line.startswith("```"):
            if opened is None:
                opened = Block(line[3:].strip(), "", number + 1, number)
            else:
                opened.end = number
                found.append(opened)
                opened = None
        elif opened is not None:
            opened.text += line + "\n"
    assert opened is None, f"{page}: a block is not closed"
    return found


def prose(page):
    """The page without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)


def commands(text):
    """(command, the lines shown below it) of each `$` line of a console block."""
    found = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif found and found[-1][0].endswith("\\"):
            found[-1] = (found[-1][0][:-1] + line.strip(), found[-1][1])
        else:
            found[-1][1].append(line)
    return [(command, "\n".join(shown).strip("\n")) for command, shown in found]


# ── is what is shown what is seen? ───────────────────────────────────────────────────────────────────────────────────

NUMBER = r"(?<![\w.])-?\d[\d,]*\.?\d*(?:e[+-]?\d+)?(?![\w])"


def alike(shown, seen):
    """Whether two lines say the same: words alike, numbers to within a fiftieth, and any time."""
    shown, seen = (re.sub(r"\d+\.\d+ s\b", "· s", " ".join(text.split())) for text in (shown, seen))
    pattern, last = "", 0
    numbers = []
    for found in re.finditer(NUMBER, shown):
        pattern += re.escape(shown[last : found.start()]).replace("…", ".*?") + f"({NUMBER})"
        numbers.append(found[0])
        last = found.end()
    pattern += re.escape(shown[last:]).replace("…", ".*?")
    there = re.fullmatch(pattern, seen)
    return there is not None and all(map(near, numbers, there.groups()))


def near(shown, seen):
    a, b = (float(text.replace(",", "")) for text in (shown, seen))
    return abs(a - b) <= max(0.02 * abs(a), 0.02 * ("." in shown))


def check_shown(shown, seen, where):
    """Each line shown in its place among the lines seen; a line of … stands for any number of lines."""
    lines, skipping = seen.strip("\n").splitlines(), False
    rest = iter(lines)
    for line in shown.strip("\n").splitlines():
        if line.strip() == "…":
            skipping = True
            continue
        for candidate in rest:
            if alike(line, candidate):
                break
            assert skipping, f"{where}: the page shows\n{line}\nand what comes is\n{candidate}\nin\n{seen}"
        else:
            pytest.fail(f"{where}: the page shows {line!r}, which does not come in\n{seen}")
        skipping = False
    left = list(rest)
    assert skipping or not left, f"{where}: the page does not show {left}"


@pytest.mark.parametrize(
    ("shown", "seen", "same"),
    [
        ("cost 0.50 in 3 s", "cost  0.505 in 3 s", True),
        ("cost 0.50", "cost 0.55", False),
        ("69 rows", "68 rows", True),
        ("69 rows", "60 rows", False),
        ("stopped … 34 epochs", "stopped early after 34 epochs", True),
        ("took 0.5 s", "took 12.1 s", True),
        ("accuracy 1", "accuracy x", False),
        ("[[0.   0.98]]", "[[0. 0.98]]", True),
    ],
)
def test_what_counts_as_the_same(shown, seen, same):
    assert alike(shown, seen) == same


# ── what the pages run ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_the_code_of_a_page_runs_and_shows_what_it_says(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    names = {"__name__": "__main__"}
    found = blocks(page)
    for block, after in zip(found, [*found[1:], None], strict=True):
        where = f"{name_of(page)}, {block.where}"
        if block.language == "python":
            seen = run_python(block, names, where)
            if after is not None and after.language == "text" and after.line - block.end <= 3:
                check_shown(after.text, seen, where)
        elif block.language == "console":
            for command, shown in commands(block.text):
                run_command(command, shown, where)


def run_python(block, names, where):
    """What the block prints."""
    code = compile("\n" * (block.line - 1) + block.text, where, "exec")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(code, names)
    return printed.getvalue()


def run_command(command, shown, where):
    """Execute a netwright command and compare; of a make command see that there is such a target."""
    where = f"{where}, {command}"
    words = shlex.split(command, comments=True)
    if words[0] == "make":
        assert next(word for word in words[1:] if "=" not in word) in TARGETS, where
        return
    if words[0] in ("head", "cat"):
        lines = Path(words[-1]).read_text().splitlines()
        check_shown(shown, "\n".join(lines[: int(words[2])] if words[0] == "head" else lines), where)
        return
    if words[0] != "netwright":
        assert words[0] in OTHERS, f"{where}: not known here"
        return
    output = words[words.index(">") + 1] if ">" in words else None
    done = CliRunner().invoke(main, words[1 : words.index(">")] if output else words[1:])
    fails = shown.startswith("netwright: ")
    assert done.exit_code == (2 if fails else 0), f"{where}:\n{done.output}"
    if output:
        Path(output).write_text(done.stdout)
    check_shown(shown, done.stderr if output else done.output, where)


# ── what the pages name ──────────────────────────────────────────────────────────────────────────────────────────────


def slugs(page):
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ +(.*)$", prose(page), re.MULTILINE)
    plain = (re.sub(r"[`*]|\[([^]]*)\]\([^)]*\)", r"\1", heading).strip().lower() for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page):
    text = re.sub(r"`[^`\n]*`", "", prose(page))
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    for link in links:
        if re.match(r"https?:", link):
            continue
        path, _, anchor = link.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{link}: no such file"
        assert there.is_relative_to(ROOT), f"{link} leads out of the repository"
        if anchor:
            assert anchor in slugs(there), f"{link}: no such heading"


ENDINGS = r"\.(py|md|toml|csv|json|txt|svg|png|safetensors|html|yml)"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_path_and_command_named_exists(page):
    made = "".join(block.text for block in blocks(page)) + (ROOT / "Makefile").read_text()
    options = {option for command in main.commands.values() for each in command.params for option in each.opts}
    options |= set(re.findall(r'"(--[\w-]+)"', "".join(path.read_text() for path in ROOT.glob("benchmarks/*.py"))))
    options |= {"--help", "--version", "-h"}
    for span in re.findall(r"`([^`\n]+)`", prose(page)):
        words = span.split()
        if words[0] == "make" and len(words) > 1:
            assert words[1] in TARGETS, span
        elif words[0] == "netwright" and len(words) > 1 and words[1].isalpha() and words[1].islower():
            assert words[1] in main.commands, span
        for option in re.findall(r"(?<![\w-])--[a-z][\w-]*", span):
            assert option in options, f"`{span}`: no command has the option {option}"
        path = span.rstrip("/")
        if re.fullmatch(rf"[\w.-]+(/[\w.-]+)*({ENDINGS}|/)", span) or re.fullmatch(r"(\.?[\w-]{2,}/)+[\w.-]*", span):
            places = [ROOT, page.parent, ROOT / "src" / "netwright", ROOT / "tests"]
            assert any((place / path).exists() for place in places) or path in made, f"`{span}`: no such path"


def test_public_names_in_the_pages_exist():
    for page in PAGES:
        for name in re.findall(r"`netwright\.(\w+)", prose(page)):
            assert hasattr(netwright, name) or importlib.util.find_spec(f"netwright.{name}"), f"{name_of(page)}: {name}"


# ── what must be said ────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_readme_says_how_to_set_up_and_test():
    text = (ROOT / "README.md").read_text()
    for command in ("make demo", "make test", "pip install ."):
        assert command in text
    assert "make test" in (ROOT / ".ci" / "run").read_text()


def test_every_dependency_is_justified():
    libraries = (ROOT / "docs" / "design.md").read_text().partition("\n## Libraries")[2].partition("\n## ")[0]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for requirement in chain(project["dependencies"], *project["optional-dependencies"].values()):
        name = re.match(r"[\w-]+", requirement)[0]
        assert name == "netwright" or f"**{name}**" in libraries, f"docs/design.md, Libraries: why {name}?"


def test_every_name_of_a_table_is_documented():
    notation = (ROOT / "docs" / "notation.md").read_text()
    for table in ("ACTIVATIONS", "LOSSES", "INITIALIZERS", "OPTIMIZERS", "SCHEDULES", "SCORES"):
        for name in getattr(netwright, table):
            assert f"`{name}`" in notation, f"docs/notation.md: {table} has {name}"


def test_every_option_of_train_is_in_the_how_to():
    howto = (ROOT / "docs" / "howto.md").read_text()
    for option in (option for each in main.commands["train"].params for option in each.opts if option[:2] == "--"):
        assert option in howto, f"docs/howto.md: what is {option} for?"


def test_the_changelog_has_this_version():
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text
    assert f"## [{netwright.__version__}]" in text


def test_the_readmes_table_is_what_was_measured():
    spec = importlib.util.spec_from_file_location("plain", ROOT / "benchmarks" / "plain.py")
    plain = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(plain)
    results = json.loads(plain.RESULTS.read_text())
    assert plain.table(results) in (ROOT / "README.md").read_text()
    plain.check(results)
