"""What `make bench` runs: every benchmark, or those named. `make bench ARGS=--quick` is a short look.

Options are handed to each benchmark: `--quick` makes it short, `--help` shows what else it takes.
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
BENCHMARKS = ("plain", "estimators", "suite")  # each a script beside this one that takes --quick


def main() -> int:
    options = [word for word in sys.argv[1:] if word.startswith("-")]
    names = [word for word in sys.argv[1:] if not word.startswith("-")] or BENCHMARKS
    for name in names:
        if name not in BENCHMARKS:
            print(f"unknown benchmark {name!r}; choose one of {', '.join(BENCHMARKS)}", file=sys.stderr)
            return 2
    codes = []
    for name in names:
        print(f"── {name} " + "─" * (100 - len(name)), flush=True)
        codes.append(subprocess.run([sys.executable, HERE / f"{name}.py", *options], check=False).returncode)
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main())
