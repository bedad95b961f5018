#!/usr/bin/env python3
"""Writes pixel_references.txt: what Pillow and torchvision make of a small image, for color_jitter_test.cpp.

A line is a case: its name, its numbers, a colon, and the values [rows, cols, 3] from 0 to 255 (resize) or from 0 to 1
(colours). Pillow resizes in floats (mode F), so nothing is rounded or clipped on the way; clipped at the end as it would be.
"""

import os

import numpy as np
import torch
from PIL import Image
from torchvision.transforms import functional

ROWS, COLS = 23, 31


def picture():
    row, col, channel = np.meshgrid(np.arange(ROWS), np.arange(COLS), np.arange(3), indexing="ij")
    return ((row * 7 + col * 11 * (channel + 1) + (row // 5 + col // 7) % 2 * 90) % 256).astype(np.float32)


def resized(image, method, rows, cols, area):
    top, left, height, width = area
    part = image[top:top + height, left:left + width]
    planes = [Image.fromarray(np.ascontiguousarray(part[:, :, i])).resize((cols, rows), method) for i in range(3)]
    return np.clip(np.stack([np.asarray(plane) for plane in planes], axis=2), 0.0, 255.0)


def main():
    image = picture()
    lines = []

    def add(name, numbers, values, digits):
        lines.append(f"{name} {' '.join(str(number) for number in numbers)} : " +
                     " ".join(f"{value:.{digits}f}" for value in np.asarray(values).reshape(-1)))

    whole, part = (0, 0, ROWS, COLS), (3, 5, 17, 20)
    for name, method in (("bicubic", Image.Resampling.BICUBIC), ("area", Image.Resampling.BOX)):
        for rows, cols, area in ((7, 9, whole), (28, 10, whole), (6, 20, part), (1, 1, part)):
            add(name, (rows, cols, *area), resized(image, method, rows, cols, area), 2)
    tile = torch.from_numpy(image[6:10, 8:13].transpose(2, 0, 1) / 255.0)
    for name, adjust, factors in (("brightness", functional.adjust_brightness, (0.0, 0.6, 1.7)),
                                  ("contrast", functional.adjust_contrast, (0.0, 0.5, 1.8)),
                                  ("saturation", functional.adjust_saturation, (0.0, 0.4, 1.9)),
                                  ("hue", functional.adjust_hue, (-0.5, -0.2, 0.1, 0.37))):
        for factor in factors:
            add(name, (factor,), adjust(tile, factor).numpy().transpose(1, 2, 0), 5)
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "pixel_references.txt"), "w") as file:
        file.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
