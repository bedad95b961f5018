"""What the Python peers of weft_processes.cpp have in common: the calls, the cases and the command line."""

import argparse
import json
import platform
import sys
import time

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
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--case", choices=cases)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(cases))
        return
    if options.case is None:
        parser.error("--case or --list")
    value, unit = cases[options.case](sizes(options.quick))
    print(json.dumps({"case": options.case, "value": value, "unit": unit,
                      "version": version or f"Python {platform.python_version()}"}))


def missing(what):
    print(what)
    sys.exit(77)
