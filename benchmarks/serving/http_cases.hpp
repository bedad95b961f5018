#pragma once

#include <array>        // for std::array
#include <cstdint>      // for std::int64_t
#include <string>       // for std::string
#include <string_view>  // for std::string_view
#include <vector>       // for std::vector

namespace http_cases {

// What every server has, so that all do the same work on the same bytes; the Python ones repeat the numbers.

/// An answer for {"input": [1, 2, 3, 4]} that no model has to think about.
inline constexpr std::string_view echo_answer = R"({"output":[1,2,3,4]})";
/// Elements of the item that the models "nothing" and "device" give back.
inline constexpr std::int64_t echo_elements = 4;
/// How long the model "device" takes for a batch, whatever its size.
inline constexpr int device_ms = 10;
/// Images in a request with binary tensors, each an item, and the extents of one.
inline constexpr std::int64_t images = 64;
inline constexpr std::array<std::int64_t, 3> image_shape = {224, 224, 3};
/// Bytes of such a request's tensor.
inline constexpr std::int64_t image_bytes = images * image_shape[0] * image_shape[1] * image_shape[2] * 4;

/// What a server is told, as its last six arguments in this order. It may write a line
/// "version TEXT", writes "listening PORT" when it is ready and leaves at SIGTERM, or exits with 77 and a
/// line saying why if it is not installed.
struct setup {
  /// "network": UINT8 [784] to the probabilities FP32 [10]; "nothing": UINT8 [4] to the same; "device": the
  /// same after device_ms; "images": FP32 [224, 224, 3] to its first element.
  std::string model = "network";
  std::string weights{};  ///< safetensors, of the network
  int max_batch_size = 64;
  int max_delay_us = 0;
  int max_queue_size = 4096;  ///< beyond: 503
  int loops = 1;              ///< threads for connections, where a server has a choice
};

/// How a server is asked for one item: POST /predict {"input": [...]} with the answer {"output": [...]}, or
/// the Open Inference Protocol's POST /v2/models/MODEL/infer with JSON tensors called input and output. The
/// model "images" is always asked by the latter, with a binary tensor.
enum class protocol { predict, infer };

/// What the model "network" answers to {"input": [...]}, for a server that has no model.
std::string network_answer(const std::string& weights);

/// The arguments' end of a server.
setup setup_of(int count, char** arguments);

/// The program of a runtime: --list, and --case NAME [--quick], which starts the server, drives it and prints
/// what it measured.
///
/// @param command what starts the server, before the setup
/// @param only the cases that it has; empty: all
int measure(int count, char** arguments, const std::vector<std::string>& command,
            const std::vector<std::string_view>& only = {}, protocol asked = protocol::predict);

/// What starts the program itself as a server: it and "--serve".
std::vector<std::string> this_program();

}  // namespace http_cases
