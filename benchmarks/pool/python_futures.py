"""The cases of weft_processes.cpp with concurrent.futures.ProcessPoolExecutor."""

from concurrent.futures import ProcessPoolExecutor

from _processes import WORKERS, add, main, measure_map, measure_rate, measure_round_trip, square


def with_pool(measure):
    with ProcessPoolExecutor(WORKERS) as pool:
        list(pool.map(square, range(100)))
        return measure(pool)


CASES = {
    "processes/round_trip": lambda sizes: with_pool(lambda pool: measure_round_trip(
        lambda i: pool.submit(add, i, 1).result(), sizes["round_trip"])),
    "processes/rate": lambda sizes: with_pool(lambda pool: measure_rate(
        lambda i: pool.submit(add, i, 1), lambda call: call.result(), sizes["rate"])),
    "processes/map": lambda sizes: with_pool(lambda pool: measure_map(
        lambda items, chunk: list(pool.map(square, items, chunksize=chunk)), sizes["map"])),
}

if __name__ == "__main__":
    main(None, CASES)
