#!/usr/bin/env python3
"""Prints the numbers in reference_step.hpp: one network, one batch, three steps of training, in NumPy and double precision.

The network is 5-4-3 with a ReLU. Parameters, samples and labels are simple functions of the index, exact in binary, so
that the test can make the same ones.
"""

import numpy as np

BATCH, SIZES = 6, (5, 4, 3)
LEARNING_RATE, BETA1, BETA2, EPSILON = 0.01, 0.9, 0.999, 1e-8


def pattern(shape, step, modulus):
    """((index * step) mod modulus - modulus // 2) / 8, row-major."""
    index = np.arange(np.prod(shape))
    return ((index * step % modulus) - modulus // 2).reshape(shape) / 8.0


def forward_backward(weights, biases, x, labels):
    hidden = np.maximum(x @ weights[0] + biases[0], 0.0)
    logits = hidden @ weights[1] + biases[1]
    shifted = logits - logits.max(axis=1, keepdims=True)
    share = np.exp(shifted) / np.exp(shifted).sum(axis=1, keepdims=True)
    loss = -np.log(share[np.arange(len(x)), labels]).mean()
    slope = share.copy()
    slope[np.arange(len(x)), labels] -= 1.0
    slope /= len(x)
    hidden_slope = (slope @ weights[1].T) * (hidden > 0.0)
    gradients = [x.T @ hidden_slope, hidden.T @ slope, hidden_slope.sum(axis=0), slope.sum(axis=0)]
    return loss, gradients


def main():
    weights = [pattern((SIZES[0], SIZES[1]), 7, 11), pattern((SIZES[1], SIZES[2]), 5, 9)]
    biases = [pattern((SIZES[1],), 3, 5), pattern((SIZES[2],), 2, 3)]
    x = pattern((BATCH, SIZES[0]), 13, 23)
    labels = np.arange(BATCH) * 2 % SIZES[2]
    parameters = weights + biases
    first = [np.zeros_like(p) for p in parameters]
    second = [np.zeros_like(p) for p in parameters]
    losses = []
    gradients_of_first_step = None
    for step in (1, 2, 3):
        loss, gradients = forward_backward(weights, biases, x, labels)
        losses.append(loss)
        gradients_of_first_step = gradients_of_first_step or gradients
        for p, g, m, v in zip(parameters, gradients, first, second):
            m[:] = BETA1 * m + (1 - BETA1) * g
            v[:] = BETA2 * v + (1 - BETA2) * g * g
            p -= LEARNING_RATE / (1 - BETA1**step) * m / (np.sqrt(v) / np.sqrt(1 - BETA2**step) + EPSILON)

    def show(name, values):
        values = np.asarray(values, float).ravel()
        lines = [", ".join(f"{value:.9g}" for value in values[i : i + 6]) for i in range(0, len(values), 6)]
        print(f"inline constexpr double {name}[] = {{" + ",\n    ".join(lines) + "};")

    print("#pragma once\n\n// Printed by reference_step.py.\n\nnamespace reference {\n")
    show("losses", losses)
    for kind, values in (("gradient", gradients_of_first_step), ("parameter", parameters)):
        for name, value in zip(("weight0", "weight1", "bias0", "bias1"), values):
            show(f"{kind}_{name}", value)
    print("\n}  // namespace reference")


if __name__ == "__main__":
    main()
