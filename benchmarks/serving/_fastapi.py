"""FastAPI and uvicorn with one worker, and micro-batching by an asyncio task over NumPy."""

import asyncio
import concurrent.futures
import contextlib
import json
import pathlib
import socket
import sys

sys.path.append(str(pathlib.Path(__file__).parent.parent))
import _command_line  # noqa: E402

try:
    import _http_server as common
    import fastapi
    import numpy as np
    import pydantic
    import uvicorn
except ImportError as error:
    _command_line.missing(f"{error.name}: pip install fastapi 'uvicorn[standard]' numpy")


class Overloaded(Exception):
    pass


class Batcher:
    """Requests become batches; each gets its own result, or the exception of its own batch."""

    def __init__(self, model, max_batch_size, max_delay, max_queue_size):
        self.model, self.max_batch_size, self.max_delay = model, max_batch_size, max_delay
        self.requests = asyncio.Queue(max_queue_size)
        self.thread = concurrent.futures.ThreadPoolExecutor(1)  # the loop goes on while the model computes
        self.task = asyncio.create_task(self.work())

    async def infer(self, item):
        loop = asyncio.get_running_loop()
        answer = loop.create_future()
        try:
            self.requests.put_nowait((item, answer, loop.time()))
        except asyncio.QueueFull:
            raise Overloaded from None
        return await answer  # cancelled if the handler is: then the batch leaves it out

    async def next_batch(self):
        batch = [await self.requests.get()]
        latest = batch[0][2] + self.max_delay  # counted from the oldest
        with contextlib.suppress(TimeoutError):
            while len(batch) < self.max_batch_size:
                try:
                    batch.append(self.requests.get_nowait())
                except asyncio.QueueEmpty:
                    if asyncio.get_running_loop().time() >= latest:
                        break
                    async with asyncio.timeout_at(latest):
                        batch.append(await self.requests.get())
        return [(item, answer) for item, answer, _ in batch if not answer.done()]

    async def work(self):
        loop = asyncio.get_running_loop()
        while True:
            batch = await self.next_batch()
            if not batch:
                continue
            try:
                results = await loop.run_in_executor(self.thread, self.compute, [item for item, _ in batch])
            except Exception as failure:  # the requests of this batch, and no others
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(failure)
            else:
                for (_, answer), result in zip(batch, results, strict=True):
                    if not answer.done():
                        answer.set_result(result)

    def compute(self, items):
        # Lists, so that the loop is not kept from its work.
        return self.model(np.stack(items)).tolist()


class Question(pydantic.BaseModel):
    input: list[int]


def make_app(chosen, port):
    model = common.make_model(chosen)
    batchers = []

    @contextlib.asynccontextmanager
    async def lifespan(_):
        batchers.append(Batcher(model, chosen.max_batch_size, chosen.max_delay_us * 1e-6, chosen.max_queue_size))
        print(f"listening {port}", flush=True)
        yield

    app = fastapi.FastAPI(lifespan=lifespan)

    @app.post("/predict")
    async def predict(question: Question):
        try:
            item = common.item_of(model, question.input)
        except ValueError as error:
            raise fastapi.HTTPException(400, str(error)) from None
        try:
            return fastapi.responses.JSONResponse({"output": await batchers[0].infer(item)})
        except Overloaded:
            return fastapi.responses.JSONResponse({"error": "too many requests wait"}, 503, {"Retry-After": "1"})

    @app.post("/v2/models/images/infer")
    async def infer(request: fastapi.Request):
        body = await request.body()
        json_size = int(request.headers["Inference-Header-Content-Length"])
        shape = json.loads(body[:json_size])["inputs"][0]["shape"]
        first = model(np.frombuffer(body, model.dtype, offset=json_size).reshape(shape))
        return fastapi.responses.JSONResponse({"model_name": "images", "outputs": [
            {"name": "first", "datatype": "FP32", "shape": list(first.shape), "data": first.ravel().tolist()}]})

    return app


def main():
    chosen = common.options()
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        print(f"version FastAPI {fastapi.__version__}, uvicorn {uvicorn.__version__}, NumPy {np.__version__}")
        app = make_app(chosen, listener.getsockname()[1])
        # What is installed of uvloop and httptools it uses.
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False,
                                      timeout_keep_alive=600)).run(sockets=[listener])


if __name__ == "__main__":
    main()
