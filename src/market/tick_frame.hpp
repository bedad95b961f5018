#pragma once

#include <bit>          // for std::endian
#include <cstddef>      // for std::size_t
#include <cstdint>      // for std::uint32_t, std::uint64_t
#include <string_view>  // for std::string_view

namespace weft::detail {

// What a tick_server sends: frames, each a frame_header and `size` more bytes.
//
//   hello      first: hello_frame, then the names of the symbols, joined by line feeds; the number is that of
//              the next tick
//   ticks      any number of stored_tick; the frame's number is that of the first
//   heartbeat  nothing; there is nothing else to send
//   end        nothing; the feed is over, and the number is that of the tick that will not come
//
// A server numbers its ticks from 1, whether somebody reads them or not.
static_assert(std::endian::native == std::endian::little, "frames are little-endian");

enum class frame_kind : std::uint32_t { hello = 1, ticks = 2, heartbeat = 3, end = 4 };

struct frame_header {
  std::uint32_t size = 0;
  frame_kind kind = frame_kind::heartbeat;
  std::uint64_t number = 0;
};
static_assert(sizeof(frame_header) == 16);

constexpr std::uint64_t frame_magic = 0x3170637474666577;  // wefttcp1

struct hello_frame {
  std::uint64_t magic = frame_magic;
  std::uint64_t session = 0;  // of one server's life: another one numbers anew
};
static_assert(sizeof(hello_frame) == 16);

constexpr std::size_t most_frame_bytes = std::size_t{1} << 20;
constexpr std::size_t most_frame_ticks = 4096;

}  // namespace weft::detail
