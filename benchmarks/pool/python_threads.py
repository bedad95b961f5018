"""The thread pool workload with concurrent.futures.ThreadPoolExecutor."""

import argparse
import json
import platform
import time
from concurrent.futures import ThreadPoolExecutor

THREADS = 2
TASKS = 20_000
TRIPS = 2_000
MASK = (1 << 64) - 1


def mix(value):
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & MASK
    return value ^ (value >> 31)


def one():
    return 1


def same(value):
    return value


def empty_tasks(pool, quick):
    count = TASKS // 10 if quick else TASKS
    calls = [pool.submit(one) for _ in range(count)]
    assert sum(call.result() for call in calls) == count
    return count


def round_trip(pool, quick):
    count = TRIPS // 10 if quick else TRIPS
    assert sum(pool.submit(same, i).result() for i in range(count)) == count * (count - 1) // 2
    return count


def map_items(pool, quick):
    count = 2_000 if quick else 20_000  # a rate: a million would take a minute
    results = list(pool.map(mix, range(count)))
    assert len(results) == count and results[7] == mix(7)
    return count


CASES = {"empty_tasks": empty_tasks, "round_trip": round_trip, "map_1M": map_items}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(CASES))
        return
    with ThreadPoolExecutor(THREADS) as pool:
        pool.submit(one).result()
        start = time.perf_counter()
        count = CASES[options.case](pool, options.quick)
        seconds = time.perf_counter() - start
    print(json.dumps({"case": options.case, "value": count / seconds, "unit": "items/s",
                      "version": f"Python {platform.python_version()}"}))


if __name__ == "__main__":
    main()
