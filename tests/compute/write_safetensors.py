#!/usr/bin/env python3
"""Writes data/*.safetensors, the files that safetensors_test.cpp reads, with the reference implementation.

Needs `pip install safetensors numpy`. Run it to write them again; the bytes do not change. With --check FILE it reads a
file that weft wrote and compares it with what the test put in.
"""

import os
import sys

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")


def main():
    save_file(
        {
            "matrix": np.arange(6, dtype=np.float32).reshape(2, 3) / 4,
            "bytes": np.array([0, 1, 255], np.uint8),
            "wide": np.array([[-1], [2**40]], np.int64),
            "doubles": np.array([1e300, -0.5], np.float64),
            "flags": np.array([True, False]),
            "nothing": np.zeros((0, 4), np.float32),
            'na"me \\ \u00e9\n': np.array([7], np.int32),
        },
        os.path.join(FOLDER, "reference.safetensors"),
        metadata={"made by": "safetensors", "quote": '"'},
    )
    save_file({}, os.path.join(FOLDER, "empty.safetensors"))


def check(path):
    tensors = load_file(path)
    assert sorted(tensors) == ["a", 'b"\n'], sorted(tensors)
    assert tensors["a"].dtype == np.float32 and tensors["a"].tolist() == [[0.0, 0.5, 1.0], [1.5, 2.0, 2.5]]
    assert tensors['b"\n'].dtype == np.int64 and tensors['b"\n'].tolist() == [-5, 5]
    with safe_open(path, "numpy") as file:
        assert file.metadata() == {"key": 'va"lue'}, file.metadata()
    print("as expected")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        main()
