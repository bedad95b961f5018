#!/usr/bin/env python3
"""A table read by pandas' C reader on one core: one line of JSON."""

import os
import sys
import time

from _data import drop_from_cache, main, missing, path_of

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, for the threads of pandas too

try:
    import pandas
except ImportError as problem:
    missing(f"python_pandas.py needs pandas: {problem}")

DECLARED = dict.fromkeys(("id", "count"), "int64") | dict.fromkeys(
    ("open", "high", "low", "close", "volume", "weight"), "float64") | {"fruit": "str"}


def read(times, types=None, cold=False):
    path = path_of("table.csv")
    if cold:
        drop_from_cache(path)
    best = 0.0
    for _ in range(times):
        begin = time.perf_counter()
        table = pandas.read_csv(path, engine="c", dtype=types)
        best = max(best, os.path.getsize(path) / (time.perf_counter() - begin))
        if len(table.columns) != 9 or len(table["fruit"]) != len(table):
            sys.exit("python_pandas.py: the table is not whole")
        del table
    return best, "bytes/s"


if __name__ == "__main__":
    main(f"pandas {pandas.__version__}", {
        "csv": lambda quick: read(1 if quick else 3),
        "csv_declared": lambda quick: read(1 if quick else 3, DECLARED),
        "csv_cold": lambda quick: read(1, cold=True),
    })
