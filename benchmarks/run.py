"""What `make bench` runs: every benchmark of this directory, or those named. `make bench ARGS=--quick` for a short look.

    benchmarks/run.py [--quick] [NAME ...]       other options are handed to each benchmark
"""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    known = sorted(path.stem for path in HERE.glob("*.py") if path.name != Path(__file__).name)
    options = [word for word in sys.argv[1:] if word.startswith("-")]
    names = [word for word in sys.argv[1:] if not word.startswith("-")] or known
    if "-h" in options or "--help" in options:
        print(f"{__doc__}\nbenchmarks: {', '.join(known)}")
        return 0
    for name in names:
        if name not in known:
            print(f"unknown benchmark {name!r}; choose from {', '.join(known)}", file=sys.stderr)
            return 2
    failed = 0
    for name in names:
        print(f"── {name} " + "─" * (100 - len(name)), flush=True)
        failed |= subprocess.run([sys.executable, HERE / f"{name}.py", *options], check=False).returncode
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
