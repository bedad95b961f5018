"""Micro-batching as an asyncio program does it: a queue of requests with futures, and a task that empties it."""

import argparse
import asyncio
import json
import platform
import time

MAX_BATCH_SIZE = 32
CASES = {"no_op_model/1": 1, "no_op_model/64": 64}


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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    if options.list:
        print("\n".join(CASES))
        return
    clients = CASES[options.case]
    count = 100 if options.quick else 1000
    start = time.perf_counter()
    total = asyncio.run(run(clients, count))
    seconds = time.perf_counter() - start
    if total != clients * count * (count - 1):
        raise SystemExit("a response was lost or went to somebody else")
    print(json.dumps({"case": options.case, "value": clients * count / seconds, "unit": "items/s",
                      "version": f"Python {platform.python_version()}"}))


if __name__ == "__main__":
    main()
