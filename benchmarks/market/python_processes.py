"""The common program: 1,000 paths of 100 steps, each a call of a worker process. The workers have started."""

import concurrent.futures
import math
import random
import time

import _market as common

PATHS, STEPS = 1000, 100


def simulate(seed):
    numbers = random.Random(seed)
    step = common.YEARS / STEPS
    drift = (common.RATE - 0.5 * common.VOLATILITY**2) * step
    deviation = common.VOLATILITY * math.sqrt(step)
    price = common.SPOT
    total = 0.0
    for _ in range(STEPS):
        price *= math.exp(drift + deviation * numbers.gauss(0.0, 1.0))
        total += price
    return max(total / STEPS - common.STRIKE, 0.0)


def program(quick):
    with concurrent.futures.ProcessPoolExecutor(common.THREADS) as workers:
        list(workers.map(simulate, range(100)))
        rounds = 3 if quick else 10
        start = time.perf_counter()
        for _ in range(rounds):
            paid = list(workers.map(simulate, range(PATHS)))
        passed = (time.perf_counter() - start) / rounds
    if not 4.0 < math.exp(-common.RATE) * sum(paid) / PATHS < 6.6:
        raise SystemExit("the price is wrong")
    return PATHS * STEPS / passed, "path-steps/s"


if __name__ == "__main__":
    common.main(None, {"program/1000x100": program})
