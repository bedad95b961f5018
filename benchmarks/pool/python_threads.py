"""The thread pool workload with concurrent.futures.ThreadPoolExecutor."""

import pathlib
import sys
import time
from concurrent.futures import ThreadPoolExecutor

sys.path.append(str(pathlib.Path(__file__).parent.parent))
import _command_line  # noqa: E402

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


def measure(calls):
    def measured(quick):
        with ThreadPoolExecutor(THREADS) as pool:
            pool.submit(one).result()
            start = time.perf_counter()
            count = calls(pool, quick)
            return count / (time.perf_counter() - start), "items/s"

    return measured


if __name__ == "__main__":
    _command_line.main(None, {"empty_tasks": measure(empty_tasks), "round_trip": measure(round_trip),
                              "map_1M": measure(map_items)})
