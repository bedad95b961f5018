#!/usr/bin/env python3
"""cat of a tar shard to /dev/null: one line of JSON."""

import argparse
import json
import os
import subprocess
import sys
import time


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--case", default="tar")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    if chosen.list:
        print("tar\ntar_cold")
        return
    path = os.path.join(os.environ.get("WEFT_BENCH_DATA", ""), "images.tar")
    if not os.path.exists(path):
        print("cat.py: set WEFT_BENCH_DATA to a folder made by _make_data.py", file=sys.stderr)
        sys.exit(77)
    times = 10
    if chosen.case == "tar_cold":
        times = 1
        with open(path, "rb") as file:
            os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    begin = time.perf_counter()
    with open(os.devnull, "wb") as nowhere:
        subprocess.run(["cat"] + times * [path], stdout=nowhere, check=True)
    taken = time.perf_counter() - begin
    print(json.dumps({"case": chosen.case, "value": times * os.path.getsize(path) / taken, "unit": "bytes/s"}))


if __name__ == "__main__":
    main()
