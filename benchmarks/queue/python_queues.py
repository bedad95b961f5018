"""The queue workload between asyncio coroutines, and between threads, in Python."""

import argparse
import asyncio
import json
import platform
import queue
import threading
import time

ITEMS = 100_000


def expected(items):
    return items * (items - 1) // 2


def asyncio_queue(capacity, items):
    async def produce(out):
        for i in range(items):
            await out.put(i)

    async def consume(source):
        total = 0
        for _ in range(items):
            total += await source.get()
        return total

    async def main():
        channel = asyncio.Queue(capacity)
        _, total = await asyncio.gather(produce(channel), consume(channel))
        return total

    return asyncio.run(main())


def thread_queue(capacity, items):
    channel = queue.Queue(capacity)

    def produce():
        for i in range(items):
            channel.put(i)

    producer = threading.Thread(target=produce)
    producer.start()
    total = sum(channel.get() for _ in range(items))
    producer.join()
    return total


CASES = {
    "1_thread_1p1c_capacity_10": (asyncio_queue, 10),
    "1_thread_1p1c_capacity_1024": (asyncio_queue, 1024),
    "2_threads_1p1c_capacity_10": (thread_queue, 10),
    "2_threads_1p1c_capacity_1024": (thread_queue, 1024),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(CASES))
        return
    run, capacity = CASES[options.case]
    items = ITEMS // 10 if options.quick else ITEMS
    start = time.perf_counter()
    total = run(capacity, items)
    seconds = time.perf_counter() - start
    if total != expected(items):
        raise SystemExit("items were lost or repeated")
    print(json.dumps({"case": options.case, "value": items / seconds, "unit": "items/s",
                      "version": f"Python {platform.python_version()}"}))


if __name__ == "__main__":
    main()
