"""netwright and its peers side by side, in one run on one machine. `make bench` runs it in the peers' environment.

    python benchmarks/suite.py [--quick] [--work digits,tab] [--peers ours,jax] [--out DIR] [--into FILE]

Each peer lives in a process of its own, and they take turns: A B C, C B A, A B C, … While one works the others are
stopped (SIGSTOP), so that no thread pool that still spins takes a core from it. A turn repeats the work, each time from
the same first weights, for `--seconds`; its result is the median of its repetitions, and a peer's is the median of its
turns. See README.md beside this file for what is compared, and how to read the results.
"""

import argparse
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import peers
import works
from works import WORKS, Work

HERE = Path(__file__).parent
LATER = ("start", "memory")  # measured in fresh processes
STOPS = hasattr(signal, "SIGSTOP")
PATIENCE = 900  # seconds for an answer
HURRY = 7  # seconds for a work with --quick, before which another round begins

Results = dict[str, Any]


class Failure(Exception):
    """A peer that does not run, in one line."""


class Process:
    """A peer's process, stopped whenever nothing is asked of it."""

    def __init__(self, name: str, log: Path, environment: dict[str, str]):
        self.name, self.log = name, log
        with log.open("w") as errors:
            self.child = subprocess.Popen(
                [sys.executable, "-m", "peers", name],
                cwd=HERE,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                start_new_session=True,  # with the processes that it may start
            )

    def ask(self, do: str, **given: Any) -> Results:
        """The answer to a request; Failure says in a line what went wrong."""
        self.signal("SIGCONT")
        try:
            self.child.stdin.write((json.dumps({"do": do, **given}) + "\n").encode())
            self.child.stdin.flush()
            return self.answer()
        except BrokenPipeError:
            raise Failure(self.last_words()) from None
        finally:
            self.signal("SIGSTOP")

    def answer(self) -> Results:
        ready, _, _ = select.select([self.child.stdout], [], [], PATIENCE)
        if not ready:
            raise Failure(f"no answer for {PATIENCE} s")
        line = self.child.stdout.readline()
        if not line:
            raise Failure(self.last_words())
        said = json.loads(line)
        if "error" in said and len(said) == 1 and isinstance(said["error"], str):
            raise Failure(said["error"])
        return said

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return f"ended with {self.child.wait()}: {lines[-1] if lines else 'no word'}"

    def signal(self, name: str) -> None:
        if STOPS and self.child.poll() is None:
            os.killpg(self.child.pid, getattr(signal, name))

    def end(self) -> None:
        if self.child.poll() is None:
            os.killpg(self.child.pid, signal.SIGKILL)
        self.child.communicate()


class Suite:
    def __init__(self, names: list[str], options: argparse.Namespace, folder: Path):
        self.names, self.options, self.folder = names, options, folder
        cache = Path(sys.prefix) / "benchmark-cache"  # compilers keep their work, as they do for a user
        self.environment = os.environ | {
            "JAX_COMPILATION_CACHE_DIR": str(cache / "jax"),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "TORCHINDUCTOR_CACHE_DIR": str(cache / "torch"),
            "TORCHINDUCTOR_COMPILE_THREADS": "1",
            "TF_CPP_MIN_LOG_LEVEL": "3",
        }
        self.processes: dict[str, Process] = {}
        self.results: Results = {
            "when": time.strftime("%Y-%m-%d"),
            "quick": options.quick,
            "rounds": options.rounds,
            "seconds": options.seconds,
            "machine": {},
            "versions": {},
            "failed": {},
            "works": {},
        }

    def start(self) -> None:
        """All processes at once; who cannot import its library is left out."""
        started = {name: Process(name, self.folder / f"{name}.log", self.environment) for name in self.names}
        self.processes = dict(started)
        for name, process in started.items():
            try:
                self.results["versions"][name] = process.answer()["versions"]
                process.signal("SIGSTOP")
            except Failure as failure:
                self.fail(name, failure)
                self.processes.pop(name).end()
        if "machine" in self.processes:
            moved = self.processes["machine"].ask("bandwidth")["bytes_per_second"]
            self.results["machine"]["copy_gb_per_second"] = round(moved / 1e9, 1)

    def fail(self, name: str, failure: Failure) -> None:
        say(f"  {name}: {failure}")
        self.results["failed"][name] = str(failure)

    def end(self) -> None:
        for process in self.processes.values():
            process.end()

    def task(self, work: Work) -> Path:
        """The folder with a work's task."""
        folder = self.folder / work.name
        if not folder.exists():
            works.make(work, self.options.quick).save(folder)
        return folder

    def run(self, work: Work) -> None:
        """All peers, in turns."""
        began = time.perf_counter()
        folder = self.task(work)
        task = works.Task.load(folder)
        kept: Results = {"what": work.what, "rows": task.work.rows, "epochs": work.epochs, "flops": task.work.flops()}
        kept["megabytes"] = 4e-6 * task.work.rows * (work.sizes[0] + work.sizes[-1])
        kept["cost_before"] = works.cost(task, task.weights) if work.trains else None
        kept["peers"] = found = {}
        self.results["works"][work.name] = kept
        for name, process in self.processes.items():
            show(f"{work.name}: {name} gets ready")
            try:
                found[name] = process.ask("prepare", folder=str(folder), quick=self.options.quick) | {"turns": []}
            except Failure as failure:
                found[name] = {"failed": str(failure)}
                self.fail(f"{work.name}, {name}", failure)
        racing = [name for name, result in found.items() if "turns" in result and "refuses" not in result]
        for i in range(self.options.rounds):
            if i and self.options.quick and time.perf_counter() - began > HURRY:
                break
            show(f"{work.name}: round {i + 1} of {self.options.rounds}")
            for name in racing if i % 2 == 0 else racing[::-1]:
                found[name]["turns"].append(self.processes[name].ask("turn", seconds=self.options.seconds))
        judge(work, kept)
        times = {name: median(turn["seconds"] for turn in found[name]["turns"]) for name in racing}
        took = f"({time.perf_counter() - began:.0f} s)"
        say(f"{work.name}: " + ", ".join(f"{name} {1e6 * t:,.1f}" for name, t in times.items()) + f" µs {took}")

    def run_fresh(self, kind: str) -> None:
        """Processes that import, train one epoch and end: `start` asks for their seconds, `memory` for their bytes."""
        began = time.perf_counter()
        work = WORKS["digits" if kind == "start" or self.options.quick else "mnist"]
        folder = self.task(work)
        if kind == "memory" and self.options.quick and "start" in self.results["works"]:
            self.results["works"][kind] = self.results["works"]["start"]  # the same work
            return
        left_out = ("machine", "fused-1", "fused-2")
        found: Results = {name: {"turns": []} for name in self.processes if name not in left_out}
        self.results["works"][kind] = {"what": f"import, and one epoch of {work.name}", "peers": found}
        rounds = 1 if kind == "memory" or self.options.quick else min(self.options.rounds, 5)
        for i in range(0 if rounds == 1 else -1, rounds):  # the first fills the caches of compilers and disks
            show(f"{kind}: round {i + 1} of {rounds}")
            for name, result in found.items():
                if "refuses" in result or "failed" in result:
                    continue
                command = [sys.executable, "-m", "peers", name, "--once", str(folder)]
                before = time.perf_counter()
                done = subprocess.run(command, cwd=HERE, env=self.environment, capture_output=True, check=False)
                said = json.loads(done.stdout or '{"error": "no answer"}')
                if "refuses" in said or "error" in said:
                    result |= {"refuses": said["refuses"]} if "refuses" in said else {"failed": said["error"]}
                elif i >= 0:
                    result["turns"].append(said | {"process": time.perf_counter() - before})
        say(f"{kind}: {time.perf_counter() - began:.0f} s")


def judge(work: Work, kept: Results) -> None:
    """Whether each peer learnt as the others did, or predicted what NumPy does in float64."""
    costs = [result["cost"] for result in kept["peers"].values() if "cost" in result]
    for name, result in kept["peers"].items():
        if "cost" in result:
            result["right"] = works.learnt(work, kept["cost_before"], result["cost"], median(costs))
        elif "error" in result:
            result["right"] = result["error"] < 1e-4
        if result.get("right") is False:
            others = f", the median is {median(costs):.3g}" if costs else ""
            say(f"{work.name}: {name} is wrong: {result.get('cost', result.get('error')):.3g}{others}")


def say(line: str) -> None:
    """A line that stays."""
    print(("\r\x1b[K" if sys.stderr.isatty() else "") + line, file=sys.stderr, flush=True)


def show(line: str) -> None:
    """A line that the next one replaces."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{line}", end="", file=sys.stderr, flush=True)


def parse(arguments: list[str] | None) -> tuple[argparse.Namespace, list[str], list[str]]:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer rows, turns and settings: under two minutes")
    parser.add_argument("--work", default="all", help=f"of {', '.join([*WORKS, *LATER])}; with commas")
    known = ", ".join([*peers.PEERS, *peers.GROUPS])
    parser.add_argument("--peers", help=f"of {known}; with commas; quick: all but torch-compile, which compiles long")
    parser.add_argument("--rounds", type=int, help="turns for each peer: 7, quick 3")
    parser.add_argument("--seconds", type=float, help="that a turn lasts at least: 1, quick 0.1")
    parser.add_argument("--out", type=Path, default=HERE / "results", help="folder for the JSON and the plot")
    parser.add_argument("--into", type=Path, help="Markdown file that has <!-- bench --> and <!-- /bench -->")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (3 if options.quick else 7)
    options.seconds = options.seconds or (0.1 if options.quick else 1.0)
    chosen = [*WORKS, *LATER] if options.work == "all" else options.work.split(",")
    for name in chosen:
        if name not in WORKS and name not in LATER:
            parser.error(f"unknown work {name!r}; choose from {', '.join([*WORKS, *LATER])}")
    if options.peers is None:
        options.peers = ",".join(name for name in peers.PEERS if not (options.quick and name == "torch-compile"))
    try:
        return options, chosen, peers.find(options.peers)
    except ValueError as error:
        parser.error(str(error))


def main(arguments: list[str] | None = None) -> int:
    options, chosen, names = parse(arguments)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        suite = Suite(names, options, Path(folder))
        try:
            from machine import describe

            suite.results["machine"] = describe()
            suite.start()
            for name in chosen:
                if name in LATER:
                    suite.run_fresh(name)
                else:
                    suite.run(WORKS[name])
        finally:
            suite.end()
    results = suite.results | {"took": round(time.perf_counter() - began)}
    options.out.mkdir(parents=True, exist_ok=True)
    path = options.out / ("suite-quick.json" if options.quick else "suite.json")
    path.write_text(json.dumps(results, indent=1) + "\n")
    from plot import draw, put, table

    text = table(results)
    print(text)
    draw(results, path.with_suffix(".svg"))
    if options.into:
        put(text, options.into)
    say(f"{path} and {path.with_suffix('.svg').name}, after {results['took']} s")
    wrong = [r for w in results["works"].values() for r in w["peers"].values() if r.get("right") is False]
    return int(bool(results["failed"] or wrong))


if __name__ == "__main__":
    sys.exit(main())
