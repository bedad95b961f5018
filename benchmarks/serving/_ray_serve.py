"""Ray Serve with one replica and @serve.batch over NumPy."""

import pathlib
import signal
import socket
import sys

sys.path.append(str(pathlib.Path(__file__).parent.parent))
import _command_line  # noqa: E402

try:
    import _http_server as common
    import numpy as np
    import ray
    from ray import serve
except ImportError as error:
    _command_line.missing(f"{error.name}: pip install 'ray[serve]' numpy")

import starlette.requests
import starlette.responses


def make_deployment(chosen):
    @serve.deployment(num_replicas=1, max_ongoing_requests=chosen.max_queue_size, ray_actor_options={"num_cpus": 0})
    class Served:
        def __init__(self):
            self.model = common.make_model(chosen)

        @serve.batch(max_batch_size=chosen.max_batch_size, batch_wait_timeout_s=chosen.max_delay_us * 1e-6)
        async def compute(self, items):
            return self.model(np.stack(items)).tolist()

        async def __call__(self, request: starlette.requests.Request):
            question = await request.json()
            output = await self.compute(common.item_of(self.model, question["input"]))
            return starlette.responses.JSONResponse({"output": output})

    return Served.bind()


def main():
    chosen = common.options()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    serve.start(http_options={"host": "127.0.0.1", "port": port, "access_log": False}
                if "access_log" in serve.HTTPOptions.model_fields else {"host": "127.0.0.1", "port": port})
    serve.run(make_deployment(chosen), name="benchmark", route_prefix="/predict")
    print(f"version Ray {ray.__version__}, NumPy {np.__version__}")
    print(f"listening {port}", flush=True)
    signal.sigwait([signal.SIGTERM])
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    main()
