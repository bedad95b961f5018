#include <weft/core/error.hpp>
#include <weft/data/gzip.hpp>
#include <weft/data/idx.hpp>

#include <algorithm>  // for std::reverse
#include <array>      // for std::array
#include <bit>        // for std::endian
#include <cstddef>    // for std::size_t
#include <cstring>    // for std::memcpy
#include <iterator>   // for std::next

namespace weft {
namespace {

constexpr std::size_t extent_bytes = 4;

bool is_type_code(std::uint8_t code) {
  switch (static_cast<idx_type>(code)) {
    case idx_type::uint8:
    case idx_type::int8:
    case idx_type::int16:
    case idx_type::int32:
    case idx_type::float32:
    case idx_type::float64:
      return true;
  }
  return false;
}

std::string hexadecimal(std::uint8_t value) {
  constexpr const char* digits = "0123456789abcdef";
  return {'0', 'x', digits[value >> 4], digits[value & 0x0f]};
}

std::string extents_text(const std::vector<std::int64_t>& extents) {
  std::string text;
  for (const std::int64_t extent : extents) {
    if (!text.empty()) text += " x ";
    text += std::to_string(extent);
  }
  return text;
}

void read_header(gzip_reader& reader, std::span<std::uint8_t> out, const char* what) {
  const std::size_t got = reader.read(out);
  if (got < out.size()) {
    throw format_error(reader.path(), reader.stored_offset(),
                       "the file ends after " + std::to_string(reader.content_offset()) +
                           " bytes of content, inside " + what + " of an IDX header");
  }
}

std::vector<std::int64_t> read_extents(gzip_reader& reader, std::size_t rank) {
  std::vector<std::uint8_t> raw(rank * extent_bytes);
  read_header(reader, raw, "the extents");
  std::vector<std::int64_t> extents;
  extents.reserve(rank);
  for (std::size_t axis = 0; axis < rank; ++axis) {
    std::int64_t extent = 0;
    for (std::size_t i = 0; i < extent_bytes; ++i) extent = (extent << 8) | raw[axis * extent_bytes + i];
    extents.push_back(extent);
  }
  return extents;
}

std::int64_t payload_size(const gzip_reader& reader, idx_type type, const std::vector<std::int64_t>& extents,
                          std::int64_t limit) {
  const auto refuse = [&](const std::string& reason) {
    throw format_error(
        reader.path(), reader.stored_offset(),
        "the IDX header promises " + extents_text(extents) + " " + to_string(type) + " values, " + reason);
  };
  std::int64_t size = element_size(type);
  bool empty = false;
  for (const std::int64_t extent : extents) {
    // An extent of 0 does not excuse the others: their product is the size of a row, which callers compute.
    empty = empty || extent == 0;
    if (extent != 0 && __builtin_mul_overflow(size, extent, &size))
      refuse("more bytes than 64 bits can count");
  }
  if (empty) return 0;
  if (size > limit) {
    refuse(std::to_string(size) + " bytes, more than the limit of " + std::to_string(limit));
  }
  const std::int64_t bound = reader.content_bound();
  if (size > bound) {
    refuse(std::to_string(size) + " bytes, but the rest of the file cannot hold more than " +
           std::to_string(bound));
  }
  return size;
}

void to_host_order(std::span<std::uint8_t> bytes, std::size_t width) {
  if constexpr (std::endian::native == std::endian::little) {
    if (width == 1) return;
    for (auto element = bytes.begin(); element != bytes.end(); std::advance(element, width)) {
      std::reverse(element, std::next(element, static_cast<std::ptrdiff_t>(width)));
    }
  }
}

}  // namespace

std::int64_t element_size(idx_type type) noexcept {
  switch (type) {
    case idx_type::uint8:
    case idx_type::int8:
      return 1;
    case idx_type::int16:
      return 2;
    case idx_type::int32:
    case idx_type::float32:
      return 4;
    case idx_type::float64:
      return 8;
  }
  return 1;
}

const char* to_string(idx_type type) noexcept {
  switch (type) {
    case idx_type::uint8:
      return "uint8";
    case idx_type::int8:
      return "int8";
    case idx_type::int16:
      return "int16";
    case idx_type::int32:
      return "int32";
    case idx_type::float32:
      return "float32";
    case idx_type::float64:
      return "float64";
  }
  return "unknown";
}

void detail::copy_idx_values(idx_type stored, idx_type wanted, std::span<const std::uint8_t> bytes,
                             void* out) {
  if (stored != wanted) {
    throw invalid_argument(std::string("an IDX array of ") + to_string(stored) +
                           " was asked for its values as " + to_string(wanted));
  }
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
}

idx_array read_idx(const std::string& path, idx_options options) {
  if (options.limit < 0) {
    throw invalid_argument("idx_options.limit is " + std::to_string(options.limit) +
                           "; it must be at least 0");
  }
  gzip_reader reader(path);
  std::array<std::uint8_t, 4> magic{};
  read_header(reader, magic, "the magic number");
  const auto wrong = [&](std::size_t position, const std::string& reason) {
    throw format_error(
        path, reader.compressed() ? reader.stored_offset() : static_cast<std::int64_t>(position), reason);
  };
  for (std::size_t i = 0; i < 2; ++i) {
    if (magic[i] != 0) {
      wrong(i, "not an IDX file: its content begins with " + hexadecimal(magic[0]) + " " +
                   hexadecimal(magic[1]) + ", an IDX file with two zero bytes");
    }
  }
  if (!is_type_code(magic[2])) {
    wrong(2, "the IDX type code is " + hexadecimal(magic[2]) +
                 "; the known ones are 0x08, 0x09, 0x0b, 0x0c, 0x0d, 0x0e");
  }
  if (magic[3] == 0) wrong(3, "the IDX header has no dimensions");

  idx_array array;
  array.type = static_cast<idx_type>(magic[2]);
  array.extents = read_extents(reader, magic[3]);
  array.payload_offset = reader.content_offset();
  const std::int64_t size = payload_size(reader, array.type, array.extents, options.limit);
  array.bytes.resize(static_cast<std::size_t>(size));
  const std::size_t got = reader.read(array.bytes);
  if (got < array.bytes.size()) {
    throw format_error(path, reader.stored_offset(),
                       "the IDX header promises " + extents_text(array.extents) + " values, " +
                           std::to_string(size) + " bytes, but the content ends after " +
                           std::to_string(got) + " of them");
  }
  std::uint8_t extra = 0;
  if (reader.read(std::span(&extra, 1)) != 0) {
    throw format_error(path, reader.stored_offset() - (reader.compressed() ? 0 : 1),
                       "the content goes on after the " + std::to_string(size) +
                           " bytes that its IDX header promises (" + extents_text(array.extents) +
                           " values)");
  }
  to_host_order(array.bytes, static_cast<std::size_t>(element_size(array.type)));
  return array;
}

}  // namespace weft
