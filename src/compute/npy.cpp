#include <compute/file.hpp>
#include <weft/compute/npy.hpp>
#include <weft/core/error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>          // for std::endian
#include <charconv>     // for std::from_chars
#include <limits>       // for std::numeric_limits
#include <ostream>      // for std::ostream
#include <string_view>  // for std::string_view

static_assert(std::endian::native == std::endian::little, ".npy files are written little-endian");

namespace weft {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view magic = "\x93NUMPY"sv;
constexpr std::size_t alignment = 64;  // of the first element, as numpy.save() has it

struct description {
  dtype type;
  std::string_view text;
};
constexpr std::array descriptions{description{dtype::boolean, "|b1"},  description{dtype::uint8, "|u1"},
                                  description{dtype::int8, "|i1"},     description{dtype::uint16, "<u2"},
                                  description{dtype::int16, "<i2"},    description{dtype::float16, "<f2"},
                                  description{dtype::bfloat16, "|V2"}, description{dtype::uint32, "<u4"},
                                  description{dtype::int32, "<i4"},    description{dtype::float32, "<f4"},
                                  description{dtype::uint64, "<u8"},   description{dtype::int64, "<i8"},
                                  description{dtype::float64, "<f8"}};

// Reads the header's dictionary: three keys in any order.
class npy_header_reader {
 public:
  npy_header_reader(const std::string& path, std::string_view text, std::size_t offset)
      : path_(path), text_(text), offset_(offset) {}

  void read(dtype& type, std::vector<std::int64_t>& extents, bool& column_major) {
    bool typed = false;
    bool ordered = false;
    bool shaped = false;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr") {
        type = read_type();
        typed = true;
      } else if (key == "fortran_order") {
        column_major = read_truth();
        ordered = true;
      } else if (key == "shape") {
        extents = read_shape();
        shaped = true;
      } else {
        fail(fmt::format("'{}' is not descr, fortran_order or shape", key));
      }
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (at_ != text_.size()) fail("there is text after the header's dictionary");
    if (!typed || !ordered || !shaped) fail("the header needs descr, fortran_order and shape");
  }

 private:
  [[noreturn]] void fail(const std::string& reason) const {
    throw format_error(path_, static_cast<std::int64_t>(offset_ + at_), reason);
  }

  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) ++at_;
  }

  bool accept(char letter) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != letter) return false;
    ++at_;
    return true;
  }

  void expect(char letter) {
    if (!accept(letter)) fail(fmt::format("the header's dictionary needs '{}' here", letter));
  }

  std::string_view quoted() {
    skip_spaces();
    const char quote = at_ < text_.size() ? text_[at_] : '\0';
    const std::size_t end = quote == '\'' || quote == '"' ? text_.find(quote, at_ + 1) : text_.npos;
    if (end == text_.npos) fail("the header's dictionary needs a text in quotation marks here");
    const std::string_view inner = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return inner;
  }

  dtype read_type() {
    skip_spaces();
    if (at_ < text_.size() && text_[at_] == '[') fail("the elements are structures, which no dtype is");
    const std::size_t before = at_;
    const std::string_view text = quoted();
    for (const description& known : descriptions) {
      if (known.text == text) return known.type;
    }
    at_ = before;
    fail(fmt::format("weft has no dtype for descr '{}'", text));
  }

  bool read_truth() {
    skip_spaces();
    for (const bool value : {true, false}) {
      const std::string_view word = value ? "True" : "False";
      if (text_.substr(at_, word.size()) != word) continue;
      at_ += word.size();
      return value;
    }
    fail("fortran_order is neither True nor False");
  }

  std::vector<std::int64_t> read_shape() {
    std::vector<std::int64_t> extents;
    expect('(');
    while (!accept(')')) {
      skip_spaces();
      std::int64_t extent = 0;
      const char* first = text_.data() + at_;
      const auto [end, problem] = std::from_chars(first, text_.data() + text_.size(), extent);
      if (problem != std::errc() || extent < 0) fail("shape needs a number that is not negative here");
      at_ += static_cast<std::size_t>(end - first);
      extents.push_back(extent);
      if (!accept(',')) {
        expect(')');
        break;
      }
    }
    return extents;
  }

  const std::string& path_;
  std::string_view text_;
  std::size_t offset_;
  std::size_t at_ = 0;
};

// The number of bytes of a shape, or -1 if it does not fit.
std::int64_t byte_count(std::span<const std::int64_t> extents, dtype type) {
  std::int64_t count = size_of(type);
  for (const std::int64_t extent : extents) {
    if (extent != 0 && count > std::numeric_limits<std::int64_t>::max() / extent) return -1;
    count *= extent;
  }
  return count;
}

}  // namespace

namespace detail {

void write_npy(const std::string& path, dtype type, std::span<const std::int64_t> extents,
               std::span<const std::byte> bytes) {
  std::string_view descr;
  for (const description& known : descriptions) {
    if (known.type == type) descr = known.text;
  }
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}{}), }}", descr,
                                   fmt::join(extents, ", "), extents.size() == 1 ? "," : "");
  constexpr std::size_t prefix = 10;  // magic, version and length
  header.append((alignment - (prefix + header.size() + 1) % alignment) % alignment, ' ');
  header += '\n';
  write_file(path, [&](std::ostream& file) {
    const std::array<char, 4> version_and_length{1, 0, static_cast<char>(header.size() & 0xff),
                                                 static_cast<char>(header.size() >> 8)};
    file.write(magic.data(), static_cast<std::streamsize>(magic.size()));
    file.write(version_and_length.data(), version_and_length.size());
    file.write(header.data(), static_cast<std::streamsize>(header.size()));
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  });
}

}  // namespace detail

npy_header read_npy_header(const std::string& path, std::span<const std::byte> front, std::int64_t size) {
  const std::string_view all(reinterpret_cast<const char*>(front.data()), front.size());
  if (all.substr(0, magic.size()) != magic) {
    throw format_error(path, 0, "the file does not begin with the bytes 93 4E 55 4D 50 59 of a .npy file");
  }
  const auto byte = [&](std::size_t index) -> std::size_t { return static_cast<unsigned char>(all[index]); };
  const bool long_length = all.size() > 6 && byte(6) > 1;
  const std::size_t prefix = long_length ? 12 : 10;
  if (all.size() < prefix) throw format_error(path, size, "the file ends before the header");
  if (byte(6) < 1 || byte(6) > 3) {
    throw format_error(path, 6, "the format's version is " + std::to_string(byte(6)) + ": 1 to 3 are known");
  }
  std::size_t length = byte(8) + (byte(9) << 8);
  if (long_length) length += (byte(10) << 16) + (byte(11) << 24);
  if (length > all.size() - prefix) {
    throw format_error(path, static_cast<std::int64_t>(all.size()),
                       "the file ends within the header, which is " + std::to_string(length) + " bytes long");
  }
  npy_header header;
  npy_header_reader(path, all.substr(prefix, length), prefix)
      .read(header.type, header.extents, header.column_major);
  header.bytes = static_cast<std::int64_t>(prefix + length);
  const std::int64_t expected = byte_count(header.extents, header.type);
  const std::int64_t there = size - header.bytes;
  if (expected != there) {
    throw format_error(path, size,
                       fmt::format("{} [{}] needs {} bytes after the header, but there are {}",
                                   to_string(header.type), fmt::join(header.extents, ", "), expected, there));
  }
  return header;
}

npy_file::npy_file(std::string path)
    : path_(std::move(path)),
      bytes_(detail::read_file(path_)),
      header_(read_npy_header(path_, bytes_, static_cast<std::int64_t>(bytes_.size()))) {}

void npy_file::require(dtype type, int rank) const {
  if (header_.type == type && header_.extents.size() == static_cast<std::size_t>(rank)) return;
  throw format_error(path_, header_.bytes,
                     fmt::format("the array is {} [{}]: {} of rank {} was asked for", to_string(header_.type),
                                 fmt::join(header_.extents, ", "), to_string(type), rank));
}

}  // namespace weft
