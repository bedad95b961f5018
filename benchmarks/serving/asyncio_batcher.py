"""Micro-batching as an asyncio program does it: a queue of requests with futures, and a task that empties it."""

import asyncio
import pathlib
import sys
import time

sys.path.append(str(pathlib.Path(__file__).parent.parent))
import _command_line  # noqa: E402

MAX_BATCH_SIZE = 32


def model(requests):
    return [2 * request for request in requests]


async def serve(requests):
    while True:
        batch = [await requests.get()]
        while len(batch) < MAX_BATCH_SIZE and not requests.empty():
            batch.append(requests.get_nowait())
        try:
            responses = model([request for request, _ in batch])
        except Exception as failure:  # the requests of this batch, and no others
            for _, answer in batch:
                answer.set_exception(failure)
        else:
            for (_, answer), response in zip(batch, responses):
                if not answer.done():
                    answer.set_result(response)


async def ask(requests, count):
    loop = asyncio.get_running_loop()
    total = 0
    for i in range(count):
        answer = loop.create_future()
        await requests.put((i, answer))
        total += await answer
    return total


async def run(clients, count):
    requests = asyncio.Queue()
    server = asyncio.create_task(serve(requests))
    totals = await asyncio.gather(*(ask(requests, count) for _ in range(clients)))
    server.cancel()
    return sum(totals)


def measure(clients):
    def measured(quick):
        count = 100 if quick else 1000
        start = time.perf_counter()
        total = asyncio.run(run(clients, count))
        seconds = time.perf_counter() - start
        if total != clients * count * (count - 1):
            raise SystemExit("a response was lost or went to somebody else")
        return clients * count / seconds, "items/s"

    return measured


if __name__ == "__main__":
    _command_line.main(None, {"no_op_model/1": measure(1), "no_op_model/64": measure(64)})
