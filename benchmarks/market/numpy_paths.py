"""The paths of weft.cpp with NumPy, whole arrays at a time; NumPy draws and computes on one thread."""

import time

import _market as common

try:
    import numpy as np
except ImportError:
    common.missing("numpy: pip install numpy")

PIECE = 10_000  # what fits the caches best of 1,000 to 1,000,000


def price(rng, paths):
    step = common.YEARS / common.STEPS
    drift = np.float32((common.RATE - 0.5 * common.VOLATILITY**2) * step)
    deviation = np.float32(common.VOLATILITY * step**0.5)
    moves = rng.standard_normal((paths, common.STEPS), dtype=np.float32)
    moves *= deviation
    moves += drift
    np.cumsum(moves, axis=1, out=moves)
    np.exp(moves, out=moves)
    return np.maximum(common.SPOT * moves.mean(axis=1) - common.STRIKE, 0.0)


def paths(quick):
    count = 100_000 if quick else 1_000_000
    rng = np.random.Generator(np.random.SFC64(1))
    price(rng, PIECE)
    start = time.perf_counter()
    paid = np.concatenate([price(rng, PIECE) for _ in range(count // PIECE)])
    passed = time.perf_counter() - start
    discount = np.exp(-common.RATE * common.YEARS)
    common.check_price(discount * paid.mean(), discount * paid.std() / count**0.5)
    return count * common.STEPS / passed, "path-steps/s"


if __name__ == "__main__":
    common.main(f"NumPy {np.__version__}", {"paths/two-threads": paths, "paths/one-thread": paths})
