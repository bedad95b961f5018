"""What the Python peers of weft_processes.cpp have in common: the calls and the cases; the command line is that of all."""

import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parent.parent))
import _command_line  # noqa: E402
from _command_line import missing  # noqa: E402,F401

WORKERS = 2
BATCH_BYTES = 600_000
BATCHES_AHEAD = 8


def add(a, b):
    return a + b


def square(i):
    return i * i


def ends_of(batch):
    return batch[0] + batch[-1]


def sizes(quick):
    return {"round_trip": 200 if quick else 5000, "rate": 2000 if quick else 20_000,
            "map": 100_000 if quick else 1_000_000, "batch": 100 if quick else 2000}


def make_batch(i):
    return bytes([i % 100]) + bytes(BATCH_BYTES - 2) + bytes([i % 100])


def require(right):
    if not right:
        raise SystemExit("the result is wrong")


def measure_round_trip(call, count):
    """call(i) runs add(i, 1) in a worker and waits; in microseconds."""
    start = time.perf_counter()
    for i in range(count):
        require(call(i) == i + 1)
    return (time.perf_counter() - start) / count * 1e6, "us"


def measure_rate(submit, result, count):
    start = time.perf_counter()
    calls = [submit(i) for i in range(count)]
    total = sum(result(call) for call in calls)
    passed = time.perf_counter() - start
    require(total == count * (count + 1) // 2)
    return count / passed, "tasks/s"


def measure_map(run, count):
    """The best of several chunk sizes: run(items, chunk) gives the squares."""
    best = 0.0
    for chunk in (count // 64, count // 16, count // 4):
        start = time.perf_counter()
        squares = run(range(count), max(chunk, 1))
        passed = time.perf_counter() - start
        require(len(squares) == count and squares[-1] == (count - 1) ** 2)
        best = max(best, count / passed)
    return best, "items/s"


def main(version, cases):
    """cases: name -> function(sizes) -> (value, unit)"""
    _command_line.main(version, {name: lambda quick, measure=measure: measure(sizes(quick))
                                 for name, measure in cases.items()})
