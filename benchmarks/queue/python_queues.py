"""The queue workload between asyncio coroutines, and between threads, in Python."""

import asyncio
import pathlib
import queue
import sys
import threading
import time

sys.path.append(str(pathlib.Path(__file__).parent.parent))
import _command_line  # noqa: E402

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


def measure(run, capacity):
    def measured(quick):
        items = ITEMS // 10 if quick else ITEMS
        start = time.perf_counter()
        total = run(capacity, items)
        seconds = time.perf_counter() - start
        if total != expected(items):
            raise SystemExit("items were lost or repeated")
        return items / seconds, "items/s"

    return measured


if __name__ == "__main__":
    _command_line.main(None, {
        "1_thread_1p1c_capacity_10": measure(asyncio_queue, 10),
        "1_thread_1p1c_capacity_1024": measure(asyncio_queue, 1024),
        "2_threads_1p1c_capacity_10": measure(thread_queue, 10),
        "2_threads_1p1c_capacity_1024": measure(thread_queue, 1024),
    })
