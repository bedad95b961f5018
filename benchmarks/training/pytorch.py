#!/usr/bin/env python3
"""One epoch of the 784-256-128-10 classifier on Fashion-MNIST in PyTorch, on CPU.

Prints one line of JSON per measured epoch. The data, batch size, thread count and network are those of weft.cpp.
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
    from torch import nn
except ImportError as problem:
    print(f"pytorch.py needs torch and numpy: {problem}", file=sys.stderr)
    sys.exit(77)

BATCH = 128
MEAN, STD = 0.2860, 0.3530
DEFAULT_DATA = "/usr/share/datasets/fashion-mnist"


def load(folder):
    """The training images, flattened uint8, and their labels; random data of the same shape without the files."""
    images = os.path.join(folder, "train-images-idx3-ubyte.gz")
    labels = os.path.join(folder, "train-labels-idx1-ubyte.gz")
    if not os.path.exists(images):
        generator = np.random.default_rng(1)
        return (
            torch.from_numpy(generator.integers(0, 256, (60000, 784), dtype=np.uint8)),
            torch.from_numpy(generator.integers(0, 10, 60000)),
        )
    with gzip.open(images) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784).copy()
    with gzip.open(labels) as file:
        classes = np.frombuffer(file.read(), np.uint8, offset=8).astype(np.int64)
    return torch.from_numpy(pixels), torch.from_numpy(classes)


class Images(torch.utils.data.Dataset):
    """What the DataLoader's workers read: one decoded sample at a time."""

    def __init__(self, images, labels):
        self.images, self.labels = images, labels

    def __len__(self):
        return len(self.images)

    def __getitem__(self, index):
        return self.images[index].to(torch.float32).div_(255.0).sub_(MEAN).div_(STD), self.labels[index]


def trainer(compiled):
    """The network, its optimizer and one training step."""
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10)
    )
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, fused=True)
    criterion = nn.CrossEntropyLoss()

    def forward(x, y):
        return criterion(network(x), y)

    if compiled:
        forward = torch.compile(forward)

    def step(x, y):
        optimizer.zero_grad(set_to_none=True)
        loss = forward(x, y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def epoch_indexed(images, labels, step):
    """Shuffled batches gathered from the preloaded uint8 tensor: the fastest plain PyTorch input."""
    scale, shift = 1.0 / (255.0 * STD), -MEAN / STD
    loss = None
    for indices in torch.randperm(len(images)).split(BATCH):
        x = images[indices].to(torch.float32).mul_(scale).add_(shift)
        loss = step(x, labels[indices])
    return loss.item()


def epoch_loader(images, labels, step, workers=0):
    """The same through torch.utils.data.DataLoader."""
    loader = torch.utils.data.DataLoader(
        Images(images, labels), batch_size=BATCH, shuffle=True, num_workers=workers, persistent_workers=False
    )
    loss = None
    for x, y in loader:
        loss = step(x, y)
    return loss.item()


CASES = {
    "epoch/two-threads": (2, False, epoch_indexed),
    "epoch/two-threads/compiled": (2, True, epoch_indexed),
    "epoch/two-threads/loader": (2, False, epoch_loader),
    "epoch/one-thread": (1, False, epoch_indexed),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=list(CASES))
    parser.add_argument("--list", action="store_true", help="print the cases' names")
    parser.add_argument("--quick", action="store_true", help="a part of an epoch")
    parser.add_argument("--data", default=DEFAULT_DATA)
    parser.add_argument("--repeat", type=int, default=1, help="measured epochs; one line each")
    arguments = parser.parse_args()
    if arguments.list:
        print("\n".join(CASES))
        return 0
    if arguments.case is None:
        parser.error("--case NAME or --list is needed")
    threads, compiled, epoch = CASES[arguments.case]
    torch.set_num_threads(threads)
    images, labels = load(arguments.data)
    if arguments.quick:
        images, labels = images[: 100 * BATCH], labels[: 100 * BATCH]
    step = trainer(compiled)
    # Both batch sizes of an epoch, so that compilation is not measured.
    warm_up = 20 * BATCH + len(images) % BATCH
    epoch(images[:warm_up], labels[:warm_up], step)
    for _ in range(arguments.repeat):
        start = time.perf_counter()
        loss = epoch(images, labels, step)
        seconds = time.perf_counter() - start
        if not loss < 3.0:
            print(f"the network has not learnt: its loss is {loss}", file=sys.stderr)
            return 1
        row = {"case": arguments.case, "value": len(images) / seconds, "unit": "samples/s"}
        print(json.dumps({**row, "version": f"PyTorch {torch.__version__}"}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
