#!/usr/bin/env python3
"""Writes data/*.npz, the files that stored_array_test.cpp reads, with NumPy; needs `pip install numpy`."""

import os

import numpy as np

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "data")


def main():
    arrays = {
        "x": np.arange(60, dtype=np.float32).reshape(10, 2, 3) / 4,
        "y": np.arange(10, dtype=np.int64) * 3,
        "columns": np.asfortranarray(np.arange(6).reshape(2, 3)),
        "scalar": np.array(2.5),
    }
    np.savez(os.path.join(FOLDER, "stored.npz"), **arrays)
    np.savez_compressed(os.path.join(FOLDER, "deflated.npz"), **arrays)


if __name__ == "__main__":
    main()
