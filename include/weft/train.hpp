#pragma once

// Floor 6: networks, optimizers, the training step and evaluation.

#include <weft/train/adam.hpp>
#include <weft/train/classifier.hpp>
#include <weft/train/convolution.hpp>
#include <weft/train/evaluation.hpp>
#include <weft/train/linear.hpp>
#include <weft/train/neural_net.hpp>
