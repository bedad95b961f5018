"""The cases of weft_processes.cpp with joblib's loky workers."""

import time

from _processes import WORKERS, add, main, missing, require, square

try:
    import joblib
except ImportError:
    missing("joblib: pip install joblib")


def rate(sizes):
    count = sizes["rate"]
    with joblib.Parallel(n_jobs=WORKERS, backend="loky") as run:
        run(joblib.delayed(square)(i) for i in range(100))
        start = time.perf_counter()
        total = sum(run(joblib.delayed(add)(i, 1) for i in range(count)))
        passed = time.perf_counter() - start
    require(total == count * (count + 1) // 2)
    return count / passed, "tasks/s"


def round_trip(sizes):
    count = max(sizes["round_trip"] // 10, 10)
    with joblib.Parallel(n_jobs=WORKERS, backend="loky") as run:
        run(joblib.delayed(square)(i) for i in range(100))
        start = time.perf_counter()
        for i in range(count):
            require(run([joblib.delayed(add)(i, 1)]) == [i + 1])
        return (time.perf_counter() - start) / count * 1e6, "us"


if __name__ == "__main__":
    main(f"joblib {joblib.__version__}", {"processes/rate": rate, "processes/round_trip": round_trip})
