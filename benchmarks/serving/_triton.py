"""NVIDIA Triton with its dynamic batcher, and one instance of _triton_model.py over NumPy.

The programs are those of PyTriton's package, without PyTriton, whose models cost a further process.
"""

import importlib.metadata
import importlib.util
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request

sys.path.append(str(pathlib.Path(__file__).parent.parent))
import _command_line  # noqa: E402

try:
    import _http_server as common
    import numpy as np
except ImportError as error:
    _command_line.missing(f"{error.name}: pip install numpy")

NUMPY_TOO_NEW = 2  # the backend was built before its layout


def programs():
    package = importlib.util.find_spec("pytriton")
    if package is None or int(np.__version__.split(".")[0]) >= NUMPY_TOO_NEW:
        _command_line.missing("pytriton: pip install nvidia-pytriton, in an environment with NumPy < 2")
    return pathlib.Path(package.origin).parent / "tritonserver"


def copy_backend(triton, to):
    """With the program for this interpreter's version, which Triton looks for beside the backend."""
    shutil.copytree(triton / "backends", to)
    shutil.copy(triton / "python_backend_stubs" / sysconfig.get_python_version() / "triton_python_backend_stub",
                to / "python")


def write_model(repository, chosen):
    model = common.make_model(chosen)
    with_one = model(np.zeros((1, *model.item_shape), model.dtype))
    types = {np.dtype(np.uint8): "TYPE_UINT8", np.dtype(np.float32): "TYPE_FP32"}
    folder = repository / chosen.model
    (folder / "1").mkdir(parents=True)
    here = pathlib.Path(__file__).parent
    shutil.copy(here / "_triton_model.py", folder / "1" / "model.py")
    shutil.copy(here / "_http_server.py", folder / "1")
    (folder / "config.pbtxt").write_text(f"""
backend: "python"
max_batch_size: {chosen.max_batch_size}
input [{{ name: "input" data_type: {types[np.dtype(model.dtype)]} dims: {list(model.item_shape)} }}]
output [{{ name: "output" data_type: {types[with_one.dtype]} dims: {list(with_one.shape[1:])} }}]
instance_group [{{ kind: KIND_CPU count: 1 }}]
dynamic_batching {{
  max_queue_delay_microseconds: {chosen.max_delay_us}
  default_queue_policy {{ max_queue_size: {chosen.max_queue_size} }}
}}
parameters {{ key: "weights" value: {{ string_value: "{chosen.weights}" }} }}
""")


def environment(triton):
    def first(name, *folders):
        return {name: os.pathsep.join([*map(str, folders), *filter(None, [os.environ.get(name)])])}

    # The backend's program takes the first libpython that it finds, which has to be of this interpreter's build.
    libraries = [sysconfig.get_config_var("LIBDIR"), triton.parent.parent / "nvidia_pytriton.libs"]
    return {**os.environ, **first("LD_LIBRARY_PATH", *libraries),
            **first("PATH", pathlib.Path(sys.exec_prefix) / "bin")}


def version_when_ready(server, address):
    while server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/v2/health/ready").close()
            with urllib.request.urlopen(f"{address}/v2") as answer:
                return json.load(answer)["version"]
        except urllib.error.URLError:
            time.sleep(0.05)
    sys.exit(f"tritonserver: left with {server.returncode}")


def main():
    chosen = common.options()
    triton = programs()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="weft-triton-") as folder:
        backends, repository = pathlib.Path(folder) / "backends", pathlib.Path(folder) / "models"
        copy_backend(triton, backends)
        write_model(repository, chosen)
        server = subprocess.Popen(
            [triton / "bin" / "tritonserver", f"--model-repository={repository}",
             f"--backend-directory={backends}", "--http-address=127.0.0.1", f"--http-port={port}",
             "--allow-grpc=false", "--allow-metrics=false"],
            env=environment(triton), stdout=sys.stderr)
        signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        version = version_when_ready(server, f"http://127.0.0.1:{port}")
        package = importlib.metadata.version("nvidia-pytriton")
        print(f"version Triton {version} of nvidia-pytriton {package}, NumPy {np.__version__}")
        print(f"listening {port}", flush=True)
        server.wait()


if __name__ == "__main__":
    main()
