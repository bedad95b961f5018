#include <compute/file.hpp>
#include <weft/compute/safetensors.hpp>
#include <weft/core/error.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <simdjson.h>

#include <array>        // for std::array
#include <bit>          // for std::endian
#include <cstdint>      // for std::uint64_t
#include <iterator>     // for std::back_inserter
#include <limits>       // for std::numeric_limits
#include <ostream>      // for std::ostream
#include <set>          // for std::set
#include <string_view>  // for std::string_view
#include <tuple>        // for std::tie

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

namespace weft {
namespace {

constexpr std::int64_t prefix_bytes = 8;
constexpr std::uint64_t largest_header = 100'000'000;  // the reference implementation's limit
constexpr std::string_view metadata_name = "__metadata__";

struct type_name {
  dtype type;
  std::string_view name;
};
constexpr std::array type_names{
    type_name{dtype::boolean, "BOOL"},  type_name{dtype::uint8, "U8"},   type_name{dtype::int8, "I8"},
    type_name{dtype::uint16, "U16"},    type_name{dtype::int16, "I16"},  type_name{dtype::float16, "F16"},
    type_name{dtype::bfloat16, "BF16"}, type_name{dtype::uint32, "U32"}, type_name{dtype::int32, "I32"},
    type_name{dtype::float32, "F32"},   type_name{dtype::uint64, "U64"}, type_name{dtype::int64, "I64"},
    type_name{dtype::float64, "F64"}};

std::string_view name_of(dtype type) {
  for (const type_name& candidate : type_names) {
    if (candidate.type == type) return candidate.name;
  }
  return "F64";
}

std::string json_text(std::string_view text) {
  std::string result = "\"";
  for (const char letter : text) {
    if (letter == '"' || letter == '\\') {
      result += '\\';
      result += letter;
    } else if (static_cast<unsigned char>(letter) < 0x20) {
      fmt::format_to(std::back_inserter(result), "\\u{:04x}", static_cast<unsigned>(letter));
    } else {
      result += letter;
    }
  }
  return result + '"';
}

// The number of bytes of a shape, or -1 if it does not fit.
std::int64_t byte_count(const std::vector<std::int64_t>& extents, dtype type) {
  std::int64_t count = size_of(type);
  for (const std::int64_t extent : extents) {
    if (extent != 0 && count > std::numeric_limits<std::int64_t>::max() / extent) return -1;
    count *= extent;
  }
  return count;
}

void check(std::span<const safetensors_entry> entries) {
  std::set<std::string_view> seen;
  for (const safetensors_entry& entry : entries) {
    if (entry.name.empty() || entry.name == metadata_name) {
      throw invalid_argument("write_safetensors: '" + entry.name + "' cannot be a tensor's name");
    }
    if (!seen.insert(entry.name).second) {
      throw invalid_argument("write_safetensors: there are two tensors named '" + entry.name + "'");
    }
    if (byte_count(entry.extents, entry.type) != static_cast<std::int64_t>(entry.bytes.size())) {
      throw invalid_argument(fmt::format("write_safetensors: tensor '{}' of {} [{}] cannot have {} bytes",
                                         entry.name, to_string(entry.type), fmt::join(entry.extents, ", "),
                                         entry.bytes.size()));
    }
  }
}

std::string header_of(std::span<const safetensors_entry> entries,
                      const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  const char* separator = "";
  if (!metadata.empty()) {
    fmt::format_to(std::back_inserter(header), "{}:{{", json_text(metadata_name));
    for (const auto& [key, text] : metadata) {
      fmt::format_to(std::back_inserter(header), "{}{}:{}", separator, json_text(key), json_text(text));
      separator = ",";
    }
    header += '}';
  }
  std::int64_t offset = 0;
  for (const safetensors_entry& entry : entries) {
    const std::int64_t end = offset + static_cast<std::int64_t>(entry.bytes.size());
    fmt::format_to(std::back_inserter(header), R"({}{}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})",
                   separator, json_text(entry.name), name_of(entry.type), fmt::join(entry.extents, ","),
                   offset, end);
    separator = ",";
    offset = end;
  }
  header += '}';
  // Spaces bring the first tensor to a multiple of eight bytes, as the reference implementation writes it.
  header.append((8 - header.size() % 8) % 8, ' ');
  return header;
}

// Reads the header's JSON. Every error becomes a format_error with the byte in the file.
class safetensors_header_reader {
 public:
  safetensors_header_reader(const std::string& path, std::string_view text, std::int64_t data_bytes)
      : path_(path), text_(text.data(), text.size()), data_bytes_(data_bytes) {}

  void read(std::vector<safetensors_file::entry>& entries, std::map<std::string, std::string>& metadata) {
    simdjson::ondemand::parser parser;
    simdjson::ondemand::document document;
    if (const auto problem = parser.iterate(text_).get(document); problem != simdjson::SUCCESS) {
      fail(std::string(not_json) + simdjson::error_message(problem));
    }
    try {
      std::set<std::string> seen;
      for (auto field : document.get_object()) {
        position_ = offset_of(field.key().value().raw()) - 1;  // simdjson leaves out the quotation mark
        const std::string name(std::string_view(field.unescaped_key()));
        if (!seen.insert(name).second) fail("the name '" + name + "' is there twice");
        if (name == metadata_name) {
          for (auto item : field.value().get_object()) {
            const std::string key(std::string_view(item.unescaped_key()));
            metadata[key] = std::string(std::string_view(item.value().get_string()));
          }
        } else {
          entries.push_back(read_entry(name, field.value().get_object()));
        }
      }
      const char* rest = nullptr;
      if (document.current_location().get(rest) == simdjson::SUCCESS) {
        position_ = offset_of(rest);
        fail("there is text after the header's JSON object");
      }
    } catch (const simdjson::simdjson_error& problem) {
      const char* place = nullptr;
      if (document.current_location().get(place) == simdjson::SUCCESS) position_ = offset_of(place);
      fail(std::string(not_json) + problem.what());
    }
  }

 private:
  static constexpr const char* not_json = "the header is not the JSON it should be: ";

  [[noreturn]] void fail(const std::string& reason) const { throw format_error(path_, position_, reason); }

  std::int64_t offset_of(const char* place) const { return prefix_bytes + (place - text_.data()); }

  std::int64_t natural(std::uint64_t value, const std::string& name) const {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      fail("tensor '" + name + "': " + std::to_string(value) + " is too large");
    }
    return static_cast<std::int64_t>(value);
  }

  safetensors_file::entry read_entry(const std::string& name, simdjson::ondemand::object object) const {
    safetensors_file::entry entry{name, dtype::float32, {}, 0, 0};
    bool typed = false;
    bool shaped = false;
    std::vector<std::int64_t> offsets;
    for (auto field : object) {
      const std::string_view key = field.unescaped_key();
      if (key == "dtype") {
        const std::string_view text = field.value().get_string();
        for (const type_name& candidate : type_names) {
          if (candidate.name != text) continue;
          entry.type = candidate.type;
          typed = true;
        }
        if (!typed) fail("tensor '" + name + "': dtype '" + std::string(text) + "' is unknown");
      } else if (key == "shape") {
        for (auto extent : field.value().get_array())
          entry.extents.push_back(natural(extent.get_uint64(), name));
        shaped = true;
      } else if (key == "data_offsets") {
        for (auto offset : field.value().get_array()) offsets.push_back(natural(offset.get_uint64(), name));
      } else {
        fail("tensor '" + name + "': '" + std::string(key) + "' is not dtype, shape or data_offsets");
      }
    }
    if (!typed || !shaped || offsets.size() != 2) {
      fail("tensor '" + name + "' needs a dtype, a shape and two data_offsets");
    }
    std::tie(entry.begin, entry.end) = std::tie(offsets[0], offsets[1]);
    if (entry.begin > entry.end || entry.end > data_bytes_) {
      fail(fmt::format("tensor '{}': data_offsets [{}, {}] are not within the {} bytes after the header",
                       name, entry.begin, entry.end, data_bytes_));
    }
    if (byte_count(entry.extents, entry.type) != entry.end - entry.begin) {
      fail(fmt::format("tensor '{}': {} [{}] does not have the {} bytes of data_offsets [{}, {}]", name,
                       to_string(entry.type), fmt::join(entry.extents, ", "), entry.end - entry.begin,
                       entry.begin, entry.end));
    }
    return entry;
  }

  const std::string& path_;
  simdjson::padded_string text_;
  std::int64_t data_bytes_;
  std::int64_t position_ = prefix_bytes;
};

// The length of the JSON that follows the first eight bytes.
std::int64_t header_length(const std::string& path, std::span<const std::byte> front, std::int64_t size) {
  if (static_cast<std::int64_t>(front.size()) < prefix_bytes) {
    throw format_error(path, size, "the file ends within the eight bytes that give the header's length");
  }
  std::uint64_t length = 0;
  std::memcpy(&length, front.data(), sizeof length);
  if (length > largest_header) {
    throw format_error(path, 0,
                       "the header is " + std::to_string(length) + " bytes long: the limit is 100 MB");
  }
  const auto bytes = static_cast<std::int64_t>(length);
  if (prefix_bytes + bytes > size) {
    throw format_error(path, size,
                       "the file ends within the header, which is " + std::to_string(length) + " bytes long");
  }
  return bytes;
}

// The header of a file of so many bytes, of which at least the header is there.
safetensors_header read_header(const std::string& path, std::span<const std::byte> front, std::int64_t size) {
  const std::int64_t length = header_length(path, front, size);
  const std::int64_t data = prefix_bytes + length;
  if (static_cast<std::int64_t>(front.size()) < data) {
    throw format_error(path, 0, "the header became longer while it was read");
  }
  const std::string_view text(reinterpret_cast<const char*>(front.data()) + prefix_bytes,
                              static_cast<std::size_t>(length));
  safetensors_header header;
  safetensors_header_reader(path, text, size - data).read(header.entries, header.metadata);

  using entry = safetensors_file::entry;
  std::sort(header.entries.begin(), header.entries.end(), [](const entry& a, const entry& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::int64_t end = 0;
  for (entry& current : header.entries) {
    if (current.begin != end) {
      throw format_error(
          path, data + current.begin,
          "tensor '" + current.name +
              (current.begin < end ? "' overlaps the one before it" : "' leaves a gap before it"));
    }
    end = current.end;
    current.begin += data;
    current.end += data;
  }
  if (data + end != size) {
    throw format_error(path, data + end, "there are bytes that belong to no tensor");
  }
  return header;
}

}  // namespace

void write_safetensors(const std::string& path, std::span<const safetensors_entry> entries,
                       const std::map<std::string, std::string>& metadata) {
  check(entries);
  const std::string header = header_of(entries, metadata);
  if (header.size() > largest_header) {
    throw invalid_argument("write_safetensors: the header of " + path + " would be longer than 100 MB");
  }
  detail::write_file(path, [&](std::ostream& file) {
    const std::uint64_t length = header.size();
    file.write(reinterpret_cast<const char*>(&length), sizeof length);
    file.write(header.data(), static_cast<std::streamsize>(header.size()));
    for (const safetensors_entry& entry : entries) {
      file.write(reinterpret_cast<const char*>(entry.bytes.data()),
                 static_cast<std::streamsize>(entry.bytes.size()));
    }
  });
}

safetensors_header read_safetensors_header(const std::string& path) {
  const detail::file_front prefix = detail::read_file_front(path, prefix_bytes);
  const std::int64_t length = header_length(path, prefix.bytes, prefix.size);
  const detail::file_front front = detail::read_file_front(path, prefix_bytes + length);
  return read_header(path, front.bytes, front.size);
}

safetensors_file::safetensors_file(std::string path)
    : path_(std::move(path)), bytes_(detail::read_file(path_)) {
  safetensors_header header = read_header(path_, bytes_, static_cast<std::int64_t>(bytes_.size()));
  entries_ = std::move(header.entries);
  metadata_ = std::move(header.metadata);
}

bool safetensors_file::contains(const std::string& name) const noexcept {
  for (const entry& candidate : entries_) {
    if (candidate.name == name) return true;
  }
  return false;
}

const safetensors_file::entry& safetensors_file::find(const std::string& name) const {
  for (const entry& candidate : entries_) {
    if (candidate.name == name) return candidate;
  }
  throw format_error(path_, prefix_bytes, "the header has no tensor '" + name + "'");
}

void safetensors_file::require(const entry& found, dtype type, int rank) const {
  if (found.type == type && found.extents.size() == static_cast<std::size_t>(rank)) return;
  throw format_error(
      path_, found.begin,
      fmt::format("tensor '{}' is {} [{}]: {} of rank {} was asked for", found.name, to_string(found.type),
                  fmt::join(found.extents, ", "), to_string(type), rank));
}

}  // namespace weft
