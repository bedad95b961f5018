#!/usr/bin/env python3
"""Batches of raw records from memory by PyTorch's DataLoader: the best of num_workers 0 and 2.

Prints one line of JSON. The data, batch size and checks are those of weft.cpp.
"""

import argparse
import gzip
import json
import os
import sys
import time

try:
    import numpy as np
    import torch
except ImportError as problem:
    print(f"pytorch.py needs torch and numpy: {problem}", file=sys.stderr)
    sys.exit(77)

BATCH = 128
FOLDER = "/usr/share/datasets/fashion-mnist"


class Records(torch.utils.data.Dataset):
    def __init__(self):
        images = os.path.join(FOLDER, "train-images-idx3-ubyte.gz")
        if os.path.exists(images):
            with gzip.open(images) as file:
                pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784).copy()
            with gzip.open(os.path.join(FOLDER, "train-labels-idx1-ubyte.gz")) as file:
                labels = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
        else:
            pixels = (np.arange(60000 * 784, dtype=np.uint64) * 31).astype(np.uint8).reshape(-1, 784)
            labels = np.zeros(60000, np.int64)
        self.pixels, self.labels = torch.from_numpy(pixels), torch.from_numpy(labels)

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.pixels[index], self.labels[index]


def epoch(records, workers):
    """Samples per second of one epoch, workers already started."""
    options = {"persistent_workers": True} if workers else {}
    loader = torch.utils.data.DataLoader(records, BATCH, shuffle=True, num_workers=workers, **options)
    if workers:
        next(iter(loader))
    begin = time.perf_counter()
    seen = labels = 0
    for pixels, classes in loader:
        seen += len(pixels)
        labels += int(classes.sum())
    taken = time.perf_counter() - begin
    if seen != len(records) or labels != int(records.labels.sum()):
        sys.exit("pytorch.py: the epoch is not whole")
    return seen / taken


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--case")
    parser.add_argument("--quick", action="store_true")
    chosen = parser.parse_args()
    if chosen.list:
        print("records")
        return
    torch.set_num_threads(2)
    records = Records()
    value = max(epoch(records, workers) for workers in (0, 2))
    print(json.dumps({"case": "records", "value": value, "unit": "samples/s",
                      "version": f"PyTorch {torch.__version__}"}))


if __name__ == "__main__":
    main()
