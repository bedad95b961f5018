#!/usr/bin/env python3
"""The job of examples/images with PyTorch's DataLoader and torchvision: one epoch, after one batch to warm up."""

import argparse
import os
import sys
import time

try:
    import torch
    from torch import nn
    from torchvision import datasets, transforms
except ImportError as problem:
    print(f"dataloader.py: {problem}", file=sys.stderr)
    sys.exit(77)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--lr", type=float, default=1e-3)
    chosen = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(chosen.threads)
    steps = [transforms.RandomResizedCrop(chosen.size, ratio=(0.75, 4 / 3)), transforms.RandomHorizontalFlip(),
             transforms.ColorJitter(0.2, 0.2, 0.2), transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.25] * 3)]
    images = datasets.ImageFolder(os.path.join(chosen.data, "train"), transforms.Compose(steps))
    model = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.MaxPool2d(2), nn.ReLU(), nn.Conv2d(16, 32, 3, padding=1),
                          nn.MaxPool2d(2), nn.ReLU(), nn.Flatten(), nn.Linear(32 * (chosen.size // 4)**2, 64), nn.ReLU(),
                          nn.Linear(64, len(images.classes)))
    optimizer = torch.optim.Adam(model.parameters(), lr=chosen.lr)
    loss_of = nn.CrossEntropyLoss()
    best = None
    for workers in (0, chosen.threads):
        batches = torch.utils.data.DataLoader(images, chosen.batch_size, shuffle=True, num_workers=workers,
                                              persistent_workers=workers > 0)
        next(iter(batches))
        begin, waited, asked, loss = time.perf_counter(), 0.0, time.perf_counter(), 0.0
        for values, labels in batches:
            waited += time.perf_counter() - asked
            optimizer.zero_grad()
            value = loss_of(model(values), labels)
            value.backward()
            optimizer.step()
            loss += value.item()
            asked = time.perf_counter()
        taken = time.perf_counter() - begin
        if best is None or taken < best[0]:
            best = (taken, workers, waited, loss / len(batches))
        del batches
    taken, workers, waited, loss = best
    print(f"with DataLoader: {len(images) / taken:.0f} images/s  waited {100 * waited / taken:.1f} %  "
          f"(PyTorch {torch.__version__}, num_workers {workers}, the better of 0 and {chosen.threads})")


if __name__ == "__main__":
    main()
