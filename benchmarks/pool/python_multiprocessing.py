"""The cases of weft_processes.cpp with multiprocessing's Pool, and its Queue for batches."""

import multiprocessing
import time

from _processes import (BATCHES_AHEAD, WORKERS, add, ends_of, main, make_batch, measure_map, measure_rate,
                        measure_round_trip, require, square)


def with_pool(measure):
    with multiprocessing.Pool(WORKERS) as pool:
        pool.map(square, range(100))
        return measure(pool)


def consume(batches, results):
    while (batch := batches.get()) is not None:
        results.put(ends_of(batch))


def batch_queue(sizes):
    batches = multiprocessing.Queue(BATCHES_AHEAD)
    results = multiprocessing.Queue()
    worker = multiprocessing.Process(target=consume, args=(batches, results))
    worker.start()
    made = [make_batch(i) for i in range(BATCHES_AHEAD)]
    batches.put(made[0])
    results.get()
    count = sizes["batch"]
    start = time.perf_counter()
    for i in range(count):
        batches.put(made[i % BATCHES_AHEAD])
    for i in range(count):
        require(results.get() == 2 * (i % BATCHES_AHEAD))
    passed = time.perf_counter() - start
    batches.put(None)
    worker.join()
    return count / passed, "batches/s"


CASES = {
    "processes/round_trip": lambda sizes: with_pool(lambda pool: measure_round_trip(
        lambda i: pool.apply(add, (i, 1)), sizes["round_trip"])),
    "processes/rate": lambda sizes: with_pool(lambda pool: measure_rate(
        lambda i: pool.apply_async(add, (i, 1)), lambda call: call.get(), sizes["rate"])),
    "processes/map": lambda sizes: with_pool(lambda pool: measure_map(
        lambda items, chunk: pool.map(square, items, chunksize=chunk), sizes["map"])),
    "processes/batch_600KB": batch_queue,
    "processes/batch_600KB_copied": batch_queue,
}

if __name__ == "__main__":
    main(None, CASES)
