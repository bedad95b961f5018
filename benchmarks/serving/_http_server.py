"""What the Python servers have in common: the models of http_cases.hpp over NumPy, and how they are started.

They repeat the numbers of http_cases.hpp and are run by python_server.cpp.
"""

import argparse
import json
import os
import time

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the model has one thread, as weft's has

import numpy as np  # noqa: E402

DEVICE_SECONDS = 0.01
IMAGE_SHAPE = (224, 224, 3)


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=["network", "nothing", "device", "images"])
    parser.add_argument("weights")
    parser.add_argument("max_batch_size", type=int)
    parser.add_argument("max_delay_us", type=int)
    parser.add_argument("max_queue_size", type=int)
    parser.add_argument("loops", type=int)  # these servers have one, or as many as they like
    return parser.parse_args()


def read_safetensors(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        content = file.read()
    header.pop("__metadata__", None)
    return {name: np.frombuffer(content[slice(*entry["data_offsets"])], np.float32).reshape(entry["shape"])
            for name, entry in header.items()}


class Network:
    """The dense network of the main job."""

    item_shape, dtype = (784,), np.uint8

    def __init__(self, path):
        arrays = read_safetensors(path)
        self.layers = [(arrays[f"layers.{i}.weight"], arrays[f"layers.{i}.bias"]) for i in range(len(arrays) // 2)]

    def __call__(self, images):
        values = images * np.float32(1 / 255)
        for number, (weight, bias) in enumerate(self.layers):
            values = values @ weight + bias
            if number + 1 < len(self.layers):
                np.maximum(values, 0, out=values)
        values = np.exp(values - values.max(axis=1, keepdims=True))
        return values / values.sum(axis=1, keepdims=True)


class Echo:
    item_shape, dtype = (4,), np.uint8

    def __init__(self, seconds):
        self.seconds = seconds

    def __call__(self, items):
        if self.seconds:
            time.sleep(self.seconds)
        return items


class Images:
    item_shape, dtype = IMAGE_SHAPE, np.float32

    def __call__(self, images):
        return images[:, 0, 0, :1]


def make_model(chosen):
    if chosen.model == "network":
        return Network(chosen.weights)
    if chosen.model == "images":
        return Images()
    return Echo(DEVICE_SECONDS if chosen.model == "device" else 0)


def item_of(model, numbers):
    """One item of a request's numbers; ValueError if they do not fit."""
    if len(numbers) != model.item_shape[0]:
        raise ValueError(f"input: has {len(numbers)} elements, {model.item_shape[0]} are needed")
    try:
        return np.array(numbers, model.dtype)
    except OverflowError as error:
        raise ValueError(f"input: {error}") from None
