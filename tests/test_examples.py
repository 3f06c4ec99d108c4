"""Every script in examples/ runs as it stands, in a process of its own, and says what it should."""

import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SAYS = {  # what its output must hold
    "xor.py": ["epoch    0  cost 0.8460", "in the last epoch  cost 0.0209", "[[0.004 0.976 0.977 0.031]]"],
    "table.py": ["predicts 'species', one of 3 classes", "\nChinstrap {", "\nGentoo {"],
    "own_activation_and_loss.py": ["a wrong derivative is refused", "the same predictions: True"],
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.py")), ids=lambda path: path.name)
def test_an_example_runs(path, tmp_path):
    command = [sys.executable, "-W", "error", str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for text in SAYS[path.name]:
        assert text in done.stdout
    assert not list(tmp_path.iterdir()), "an example leaves nothing behind"


def test_the_readme_of_the_examples_names_each_file():
    said = (EXAMPLES / "README.md").read_text()
    for path in EXAMPLES.iterdir():
        assert path.name == "README.md" or path.is_dir() or f"]({path.name})" in said
