#!/usr/bin/env python3
"""Writes data/*.npy, the files that npy_test.cpp reads, with NumPy.

Needs `pip install numpy`. Run it to write them again; the bytes do not change. With --check FILE it reads a file that
weft wrote and compares it with what the test put in.
"""

import os
import sys

import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")


def arrays():
    yield "matrix_f4", np.arange(6, dtype=np.float32).reshape(2, 3) / 4
    yield "columns_f8", np.asfortranarray(np.arange(24, dtype=np.float64).reshape(2, 3, 4))
    yield "halves_f2", np.array([0, -0.0, 1, 65504, 6e-8, 6.1e-5, np.inf, -np.inf, 1 / 3], np.float16)
    yield "flags_b1", np.array([True, False, True])
    yield "bytes_u1", np.array([[0, 255]], np.uint8)
    yield "numbers_i4", np.array([-(2**31), 2**31 - 1], np.int32)
    yield "numbers_i8", np.array([-(2**63), 2**63 - 1], np.int64)
    yield "nothing_f4", np.zeros((0, 4), np.float32)
    yield "scalar_f4", np.array(2.5, np.float32)
    yield "swapped_f4", np.array([1.0], ">f4")


def main():
    for name, array in arrays():
        np.save(os.path.join(FOLDER, name + ".npy"), array)


def check(path):
    array = np.load(path)
    assert array.dtype == np.float32 and array.tolist() == [[0.0, 0.5, 1.0], [1.5, 2.0, 2.5]], array
    print("as expected")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--check":
        check(sys.argv[2])
    else:
        main()
