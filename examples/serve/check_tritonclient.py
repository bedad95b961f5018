#!/usr/bin/env python3
"""Asks the example's server with Triton's own client: check_tritonclient.py HOST:PORT"""
import sys

import numpy
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

client = triton.InferenceServerClient(sys.argv[1])
assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("fashion")
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
metadata = client.get_model_metadata("fashion")
assert metadata["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 784]}], metadata
assert client.get_model_config("fashion")["max_batch_size"] >= 1

images = numpy.random.default_rng(1).integers(0, 256, (5, 784), dtype=numpy.uint8)
results = {}
for binary_in in (False, True):
    for binary_out in (False, True):
        for compression in (None, "gzip", "deflate"):
            given = triton.InferInput("image", images.shape, "UINT8")
            given.set_data_from_numpy(images, binary_data=binary_in)
            outputs = [triton.InferRequestedOutput(name, binary_data=binary_out) for name in ("label", "probabilities")]
            result = client.infer("fashion", [given], outputs=outputs, request_id="17",
                                  request_compression_algorithm=compression,
                                  response_compression_algorithm=compression)
            assert result.get_response()["id"] == "17"
            probabilities = result.as_numpy("probabilities")
            labels = result.as_numpy("label")
            assert probabilities.shape == (5, 10) and labels.dtype == numpy.int64
            assert (probabilities.argmax(axis=1) == labels).all()
            results[binary_in, binary_out, compression] = probabilities
first = next(iter(results.values()))
for key, probabilities in results.items():
    assert numpy.allclose(first, probabilities, atol=1e-6), key

given = triton.InferInput("image", images.shape, "UINT8")
given.set_data_from_numpy(images)
assert client.infer("fashion", [given]).as_numpy("probabilities").shape == (5, 10)  # all outputs, binary
assert client.infer("fashion", [given], timeout=5_000_000).as_numpy("label").shape == (5,)
pending = [client.infer("fashion", [given]) for _ in range(3)]
statistics = client.get_inference_statistics("fashion")["model_stats"][0]
assert statistics["inference_count"] >= 5 * len(results) and statistics["inference_stats"]["queue"]["count"] > 0

for wrong in (triton.InferInput("picture", images.shape, "UINT8"), triton.InferInput("image", (5, 783), "UINT8")):
    wrong.set_data_from_numpy(images[:, : wrong.shape()[1]])
    try:
        client.infer("fashion", [wrong])
    except InferenceServerException as failure:
        assert "400" in str(failure.status()) and "inputs[0]" in failure.message(), failure
    else:
        raise AssertionError("a wrong request was answered")
print(f"tritonclient: {len(results)} ways to ask, one answer")
