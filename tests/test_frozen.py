"""Nothing that is trained changes by a bit unless somebody means it to: `tests/frozen/bits.py` says how the rows are made."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FROZEN = Path(__file__).parent / "frozen"


@pytest.mark.slow
def test_trainings_learn_the_same_bits_as_ever():
    """On a processor or with libraries of another kind, what sums the trainings up."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    asked = [sys.executable, FROZEN / "bits.py", "--check", FROZEN / "bits.json"]
    checked = subprocess.run(asked, env=environment, capture_output=True, text=True, timeout=500)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "143 rows, 0 differ" in checked.stdout
