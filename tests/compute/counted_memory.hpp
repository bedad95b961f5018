#pragma once

#include <weft/compute/memory.hpp>
#include <weft/compute/tensor.hpp>
#include <weft/core/error.hpp>

#include <atomic>
#include <cstddef>
#include <new>

/// The host's heap that counts what is out, and refuses while it is told to. It may say that it lies
/// elsewhere.
class counted_memory final : public weft::memory {
 public:
  explicit counted_memory(weft::place where = {}) : where_(where) {}

  void* allocate(std::size_t bytes) override {
    if (refuse) throw weft::error("counted_memory: refused");
    out += 1;
    bytes_out += bytes;
    return ::operator new (bytes, std::align_val_t{weft::tensor_alignment});
  }
  void deallocate(void* data, std::size_t bytes) noexcept override {
    out -= 1;
    bytes_out -= bytes;
    ::operator delete (data, std::align_val_t{weft::tensor_alignment});
  }
  weft::place where() const noexcept override { return where_; }

  std::atomic<int> out{0};
  std::atomic<std::size_t> bytes_out{0};
  std::atomic<bool> refuse{false};

 private:
  weft::place where_;
};
