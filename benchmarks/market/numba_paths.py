"""The paths of weft.cpp with Numba: compiled loops, on threads."""

import math
import time

import _market as common

try:
    import numba
    import numpy as np
except ImportError:
    common.missing("numba: pip install numba")

DRIFT = (common.RATE - 0.5 * common.VOLATILITY**2) * common.YEARS / common.STEPS
DEVIATION = common.VOLATILITY * math.sqrt(common.YEARS / common.STEPS)


@numba.njit(parallel=True, fastmath=True)
def price(paid, steps, spot, strike, drift, deviation):
    for path in numba.prange(paid.size):
        level = 0.0
        total = 0.0
        for _ in range(steps):
            level += drift + deviation * np.random.standard_normal()
            total += math.exp(level)
        paid[path] = max(spot * total / steps - strike, 0.0)


def paths(threads):
    def run(quick):
        numba.set_num_threads(threads)
        count = 100_000 if quick else 1_000_000
        paid = np.empty(count)
        arguments = (common.STEPS, common.SPOT, common.STRIKE, DRIFT, DEVIATION)
        price(paid[:1000], *arguments)
        start = time.perf_counter()
        price(paid, *arguments)
        passed = time.perf_counter() - start
        discount = math.exp(-common.RATE * common.YEARS)
        common.check_price(discount * paid.mean(), discount * paid.std() / count**0.5)
        return count * common.STEPS / passed, "path-steps/s"
    return run


if __name__ == "__main__":
    common.main(f"Numba {numba.__version__}", {"paths/two-threads": paths(common.THREADS), "paths/one-thread": paths(1)})
