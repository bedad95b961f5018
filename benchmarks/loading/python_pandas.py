#!/usr/bin/env python3
"""A table read by pandas' C reader on one core: one line of JSON."""

import argparse
import json
import os
import sys
import time

os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core, for the threads of pandas too

try:
    import pandas
except ImportError as problem:
    print(f"python_pandas.py needs pandas: {problem}", file=sys.stderr)
    sys.exit(77)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--case", default="csv")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    if chosen.list:
        print("csv\ncsv_declared\ncsv_cold")
        return
    path = os.path.join(os.environ.get("WEFT_BENCH_DATA", ""), "table.csv")
    if not os.path.exists(path):
        print("python_pandas.py: set WEFT_BENCH_DATA to a folder made by _make_data.py", file=sys.stderr)
        sys.exit(77)
    types = None
    if chosen.case == "csv_declared":
        types = dict.fromkeys(("id", "count"), "int64")
        types |= dict.fromkeys(("open", "high", "low", "close", "volume", "weight"), "float64")
        types["fruit"] = "str"
    if chosen.case == "csv_cold":
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    best = 0.0
    for _ in range(1 if chosen.quick or chosen.case == "csv_cold" else 3):
        begin = time.perf_counter()
        table = pandas.read_csv(path, engine="c", dtype=types)
        best = max(best, os.path.getsize(path) / (time.perf_counter() - begin))
        if len(table.columns) != 9 or len(table["fruit"]) != len(table):
            sys.exit("python_pandas.py: the table is not whole")
        del table
    print(json.dumps({"case": chosen.case, "value": best, "unit": "bytes/s",
                      "version": f"pandas {pandas.__version__}"}))


if __name__ == "__main__":
    main()
