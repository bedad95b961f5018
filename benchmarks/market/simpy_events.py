"""The events of weft.cpp with SimPy."""

import random
import time

import _market as common

try:
    import simpy
except ImportError:
    common.missing("simpy: pip install simpy")

PROCESSES = 1000


def wander(environment, count, waits):
    for i in range(count):
        yield environment.timeout(waits[i])


def events(quick):
    each = 40 if quick else 400
    rng = random.Random(1)
    environment = simpy.Environment()
    # The random numbers are drawn before, so that what is measured is SimPy.
    for _ in range(PROCESSES):
        environment.process(wander(environment, each, [rng.randint(1, 1000) for _ in range(each)]))
    start = time.perf_counter()
    environment.run()
    passed = time.perf_counter() - start
    return PROCESSES * (each + 1) / passed, "events/s"


if __name__ == "__main__":
    common.main(f"SimPy {simpy.__version__}", {"events": events})
