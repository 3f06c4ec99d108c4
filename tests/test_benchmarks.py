"""The benchmarks' harness, on peers that every environment has: it runs, judges, and writes what it says it writes."""

import ctypes
import json
import sys
from pathlib import Path

import numpy as np
import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"
NAMES = ("machine", "peers", "pieces", "plot", "suite", "uncertainty", "works")


@pytest.fixture(autouse=True)
def _the_benchmarks_can_be_imported(monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] in NAMES]:
        del sys.modules[name]


def test_a_short_run_writes_json_table_and_picture(tmp_path, capsys):
    from suite import main

    page = tmp_path / "page.md"
    page.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n")
    options = ["--quick", "--work", "xor,predict-1", "--peers", "plain,numpy", "--rounds", "2", "--seconds", "0.01"]
    assert main([*options, "--out", str(tmp_path), "--into", str(page)]) == 0
    results = json.loads((tmp_path / "suite-quick.json").read_text())
    for work in ("xor", "predict-1"):
        for peer in ("plain", "numpy"):
            result = results["works"][work]["peers"][peer]
            assert result["right"], (work, peer, result)
            assert len(result["turns"]) == 2
            assert all(0 < turn["best"] <= turn["seconds"] for turn in result["turns"])
    assert results["machine"]["cores"] >= 1
    assert "numpy" in results["versions"]["plain"]
    text = page.read_text()
    assert text.startswith("before\n<!-- bench -->\n\n| work |")
    assert text.endswith("<!-- /bench -->\nafter\n")
    assert "old" not in text
    assert "`xor`: 2-3-1" in text
    assert "**wrong**" not in text
    assert (tmp_path / "suite-quick.svg").stat().st_size > 1000
    assert text[text.index("| work |") :].partition("\n\n")[0] in capsys.readouterr().out
    from plot import brief

    head, _, xor, predict = brief(results).splitlines()
    assert head == "|  | netwright | NumPy |"
    assert xor.startswith("| `xor`: 2-3-1")
    assert predict.endswith("×** |")


def test_a_process_is_asked_for_its_start_and_its_memory(tmp_path):
    pytest.importorskip("sklearn")
    from suite import main

    assert main(["--quick", "--work", "start", "--peers", "numpy", "--out", str(tmp_path)]) == 0
    (turn,) = json.loads((tmp_path / "suite-quick.json").read_text())["works"]["start"]["peers"]["numpy"]["turns"]
    assert 0 < turn["import"] < turn["process"]
    assert 2**20 < turn["peak_bytes"] < 2**32


def test_a_peer_that_does_not_run_is_told_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    import peers
    from suite import main

    monkeypatch.setitem(peers.PEERS, "nobody", ("nobody", "nobody", {}))  # the peer's own process does not know it
    options = ["--quick", "--work", "predict-1", "--peers", "nobody,numpy", "--rounds", "1", "--seconds", "0.01"]
    assert main([*options, "--out", str(tmp_path)]) == 1
    results = json.loads((tmp_path / "suite-quick.json").read_text())
    assert "KeyError" in results["failed"]["nobody"]
    assert results["works"]["predict-1"]["peers"]["numpy"]["right"]
    assert "nobody: KeyError" in capsys.readouterr().err


def test_every_peer_has_its_file():
    from peers import PEERS, find

    for _, module, _ in PEERS.values():
        assert (BENCHMARKS / "peers" / f"{module}.py").exists()
    assert find("ours,jax,fused") == ["fused", "fused-1", "fused-2", "plain", "jax"]


@pytest.mark.parametrize("option", ["--work", "--peers"])
def test_unknown_names_are_answered_with_the_known(option, capsys):
    from suite import main

    with pytest.raises(SystemExit):
        main([option, "nonsense"])
    assert "unknown" in (said := capsys.readouterr().err)
    assert "nonsense" in said
    assert "choose from" in said


def test_who_does_not_learn_is_found_out():
    from works import WORKS, learnt

    assert learnt(WORKS["mnist"], 2.3, 0.3, 0.2)
    assert not learnt(WORKS["mnist"], 2.3, 0.5, 0.2)
    assert not learnt(WORKS["mnist"], 2.3, float("nan"), 0.2)
    assert not learnt(WORKS["mnist"], 2.3, 2.2, 2.2)  # nobody learnt
    assert learnt(WORKS["xor"], 0.7, 0.1, 0.1)
    assert not learnt(WORKS["xor"], 0.7, 0.102, 0.1)


def test_tasks_are_the_same_each_time_and_come_back_from_their_files(tmp_path):
    from works import WORKS, Task, make

    first, again = make(WORKS["deep"], quick=True), make(WORKS["deep"], quick=True)
    first.save(tmp_path / "deep")
    read = Task.load(tmp_path / "deep")
    assert read.work == first.work
    for other in (again, read):
        assert np.array_equal(first.X, other.X)
        assert np.array_equal(first.y, other.y)
        assert all(np.array_equal(W, V) for (W, _), (V, _) in zip(first.weights, other.weights, strict=True))
    assert set(np.unique(first.y)) == {0, 1}
    assert first.X.dtype == np.float32


@pytest.mark.parametrize("name", ["digits", "deep", "predict-1k"])
@pytest.mark.parametrize("samples_as_rows", [True, False])
def test_the_limit_does_all_products_of_the_work_and_no_more(name, samples_as_rows):
    from machine import Limit
    from works import WORKS

    work = WORKS[name]
    limit = Limit(work, each_shared=True, samples_as_rows=samples_as_rows)
    limit.train(1)
    done = 0.0
    for products, count in zip(limit.streams[0], limit.counts.values(), strict=True):
        for call in products.calls:
            m, n, k = (ctypes.c_int32.from_address(int(call[i])).value for i in (2, 3, 4))
            done += 2 * m * n * k * count
    assert done == work.flops()


def test_the_pieces_of_a_step_are_timed(capsys):
    pytest.importorskip("numba")
    from pieces import main

    main("4,8,3", "8")
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:5]] == ["GATHER", "GATHER", "FEEDFORWARD", "BACK,", "UPDATE"]
    assert all(0 < float(line.split()[-2]) < 1000 for line in lines)


def test_intervals_are_judged_beside_the_width_and_the_score(tmp_path, capsys):
    from uncertainty import judged, main

    low, high = np.array([0.0, 0.0, 0.0]), np.array([1.0, 1.0, 1.0])
    assert judged(low, high, np.array([0.5, 2.0, -0.5]), 0.9) == pytest.approx((1 / 3, 1, 1 + 20 * 1.5 / 3))
    assert main(["--quick", "--only", "noise that grows,iris"]) == 0
    said = capsys.readouterr().out
    assert "| noise that grows | netwright | " in said
    assert "| **1 of classes**, least " in said
