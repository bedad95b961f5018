#pragma once

#include <chrono>   // for std::chrono::microseconds
#include <cstddef>  // for std::size_t
#include <cstdint>  // for std::uint16_t
#include <string>   // for std::string
#include <variant>  // for std::variant

namespace garments {

/// What the command line asks for.
struct options {
  std::string weights = "out/fashion/weights.safetensors";
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string device = "cpu:1";
  std::string address = "127.0.0.1";
  std::uint16_t port = 8000;
  std::size_t threads = 1;
  std::size_t batch = 64;
  std::size_t queue = 4096;
  std::size_t instances = 1;
  int delay_us = 0;
  int goal_us = 0;
  int patience_s = 30;
  std::string token;
  std::string certificate;
  std::string key;
};

/// The options, or the exit code of a program that has nothing more to do: 0 after --help, 2 after an error
/// in the command line, whose message has been written.
std::variant<options, int> parse_options(int count, char** arguments);

}  // namespace garments
