#include <data/kept_file.hpp>
#include <data/open_archive.hpp>
#include <weft/compute/npy.hpp>
#include <weft/compute/safetensors.hpp>
#include <weft/core/error.hpp>
#include <weft/data/stored_array.hpp>

#include <algorithm>    // for std::min
#include <cstring>      // for std::memcpy
#include <limits>       // for std::numeric_limits
#include <string_view>  // for std::string_view
#include <utility>      // for std::in_range, std::move

namespace weft {
namespace {

// More than the header of any array that is not one of structures.
constexpr std::int64_t most_header_bytes = std::int64_t{1} << 20;

std::shared_ptr<const detail::kept_file> open_kept(const std::string& path) {
  return std::make_shared<const detail::kept_file>(path, true);
}

std::span<std::uint8_t> unsigned_bytes(std::span<std::byte> bytes) {
  return {reinterpret_cast<std::uint8_t*>(bytes.data()), bytes.size()};
}

// The header of a .npy array that begins here in the file and has so many bytes.
npy_header npy_header_at(const open_file& file, const std::string& name, std::int64_t offset,
                         std::int64_t size) {
  std::vector<std::byte> front(static_cast<std::size_t>(std::min(size, most_header_bytes)));
  file.read_at(offset, unsigned_bytes(front));
  return read_npy_header(name, front, size);
}

std::string printed(std::span<const std::int64_t> extents) {
  std::string text = "[";
  for (const std::int64_t extent : extents) text += (text.size() == 1 ? "" : ", ") + std::to_string(extent);
  return text + "]";
}

// The array's name of an archive's entry; none if it is no array.
std::string_view array_name(archive_entry* entry) {
  const char* path = archive_entry_pathname(entry);
  std::string_view name = path == nullptr ? "" : path;
  if (archive_entry_filetype(entry) != AE_IFREG || !name.ends_with(".npy")) return {};
  name.remove_suffix(4);
  return name;
}

template <class T>
std::vector<std::int32_t> narrowed(const tensor<T, 1>& values, const std::string& name) {
  std::vector<std::int32_t> labels;
  labels.reserve(static_cast<std::size_t>(values.size()));
  for (const T value : values.elements()) {
    if (!std::in_range<std::int32_t>(value)) {
      throw format_error(name, 0,
                         "the label " + std::to_string(value) + " of row " + std::to_string(labels.size()) +
                             " is too large for 32 bits");
    }
    labels.emplace_back(value);
  }
  return labels;
}

}  // namespace

void stored_array::set_extents(std::vector<std::int64_t> extents) {
  if (extents.empty()) throw format_error(name_, begin_, "the array is a scalar: it has no rows");
  extents_ = std::move(extents);
  row_size_ = 1;
  for (const std::int64_t extent : extents_) row_size_ *= extent;
  if (rows() != 0) {
    row_size_ /= rows();
  } else {
    row_size_ = 0;
  }
}

stored_array stored_array::npy(const std::string& path) {
  stored_array made;
  made.name_ = path;
  made.file_ = open_kept(path);
  made.file_->with(
      [&](const open_file& file) { made.set_header(npy_header_at(file, path, 0, file.size()), 0); });
  return made;
}

void stored_array::set_header(npy_header header, std::int64_t offset) {
  if (header.column_major && header.extents.size() > 1) {
    throw format_error(name_, 0,
                       "the array is stored column by column; save numpy.ascontiguousarray() of it");
  }
  type_ = header.type;
  begin_ = offset + header.bytes;
  set_extents(std::move(header.extents));
}

stored_array stored_array::npz(const std::string& path, const std::string& name, npz_options options) {
  if (options.limit < 0) {
    throw invalid_argument("npz_options.limit is " + std::to_string(options.limit) +
                           "; it must be at least 0");
  }
  open_archive archive(path, open_archive::format::zip);
  std::string known;
  while (archive.next()) {
    const std::string_view found = array_name(archive.entry());
    if (found.empty()) continue;
    if (found != name) {
      known += (known.empty() ? "" : ", ") + std::string(found);
      continue;
    }
    if (archive_entry_is_encrypted(archive.entry()) != 0)
      archive.refuse("the array '" + name + "' is encrypted");
    stored_array made;
    made.name_ = path + "/" + name;
    if (archive.format_name().ends_with("(uncompressed)")) {
      const std::int64_t offset = archive.content_offset();
      if (archive.size() > archive.file().size() - offset) {
        archive.refuse("the archive ends in the middle of '" + name + "': it is truncated");
      }
      made.file_ = open_kept(path);
      made.set_header(npy_header_at(archive.file(), made.name_, offset, archive.size()), offset);
      if (options.verify) archive.skim();
      return made;
    }
    if (archive.size() > options.limit) {
      archive.refuse("the array '" + name + "' has " + std::to_string(archive.size()) +
                     " bytes, more than the limit of " + std::to_string(options.limit));
    }
    std::vector<std::byte> content;
    archive.read(content);
    made.set_header(read_npy_header(made.name_, content, static_cast<std::int64_t>(content.size())), 0);
    made.content_ = std::make_shared<const std::vector<std::byte>>(std::move(content));
    return made;
  }
  throw invalid_argument("stored_array::npz: " + path + " has no array '" + name + "'; it has: " + known);
}

std::vector<std::string> npz_names(const std::string& path) {
  open_archive archive(path, open_archive::format::zip);
  std::vector<std::string> names;
  while (archive.next()) {
    const std::string_view found = array_name(archive.entry());
    if (!found.empty()) names.emplace_back(found);
  }
  return names;
}

stored_array stored_array::safetensors(const std::string& path, const std::string& name) {
  stored_array made;
  made.name_ = path + "/" + name;
  made.file_ = open_kept(path);
  for (safetensors_file::entry& each : read_safetensors_header(path).entries) {
    if (each.name != name) continue;
    made.type_ = each.type;
    made.begin_ = each.begin;
    made.set_extents(std::move(each.extents));
    return made;
  }
  throw format_error(path, 0, "the header has no tensor '" + name + "'");
}

stored_array stored_array::raw(const std::string& path, dtype type, std::span<const std::int64_t> record,
                               std::int64_t offset) {
  if (offset < 0) {
    throw invalid_argument("stored_array::raw: offset is " + std::to_string(offset) +
                           "; it must be at least 0");
  }
  std::int64_t bytes = size_of(type);
  for (const std::int64_t extent : record) {
    if (extent < 1 || extent > std::numeric_limits<std::int64_t>::max() / bytes) {
      throw invalid_argument("stored_array::raw: a record of " + printed(record) +
                             " cannot be; every extent must be at least 1 and all of them fit 64 bits");
    }
    bytes *= extent;
  }
  stored_array made;
  made.name_ = path;
  made.file_ = open_kept(path);
  made.type_ = type;
  made.begin_ = offset;
  const std::int64_t size = made.file_->with([](const open_file& file) { return file.size(); });
  if (size < offset || (size - offset) % bytes != 0) {
    throw format_error(path, size,
                       "the file ends within a record: each has " + std::to_string(bytes) +
                           " bytes, and the first begins at byte " + std::to_string(offset));
  }
  std::vector<std::int64_t> extents = {(size - offset) / bytes};
  extents.insert(extents.end(), record.begin(), record.end());
  made.set_extents(std::move(extents));
  return made;
}

void stored_array::read_rows(std::span<const std::int64_t> indices, std::span<std::byte> out) const {
  const std::int64_t row = row_size_ * size_of(type_);
  if (static_cast<std::int64_t>(out.size()) != static_cast<std::int64_t>(indices.size()) * row) {
    throw shape_error("stored_array::read_rows: " + std::to_string(indices.size()) + " rows of " +
                      std::to_string(row) + " bytes do not fit " + std::to_string(out.size()) + " bytes");
  }
  if (out.empty()) return;
  // The rows that follow one another, from this place on.
  const auto together = [&](std::size_t from) {
    std::size_t to = from + 1;
    while (to < indices.size() && indices[to] == indices[to - 1] + 1) ++to;
    return to;
  };
  const auto place_of = [&](std::size_t place) { return begin_ + indices[place] * row; };
  const auto bytes_of = [&](std::size_t places) { return places * static_cast<std::size_t>(row); };
  if (content_) {
    for (std::size_t i = 0; i < indices.size(); ++i) {
      std::memcpy(out.data() + bytes_of(i), content_->data() + place_of(i), bytes_of(1));
    }
    return;
  }
  file_->with([&](const open_file& file) {
    bool cached = true;
    for (std::size_t i = 0; i < indices.size();) {
      const std::size_t next = together(i);
      const auto part = unsigned_bytes(out.subspan(bytes_of(i), bytes_of(next - i)));
      const std::size_t done = cached ? file.read_cached(place_of(i), part) : 0;
      if (done < part.size()) {
        for (std::size_t k = i; cached && k < indices.size(); k = together(k)) {
          file.will_need(place_of(k), static_cast<std::int64_t>(bytes_of(together(k) - k)));
        }
        cached = false;
        file.read_at(place_of(i) + static_cast<std::int64_t>(done), part.subspan(done));
      }
      i = next;
    }
  });
}

void stored_array::read_all(std::span<std::byte> out) const {
  if (content_) {
    if (!out.empty()) std::memcpy(out.data(), content_->data() + begin_, out.size());
  } else {
    file_->with([&](const open_file& file) { file.read_at(begin_, unsigned_bytes(out)); });
  }
}

std::vector<std::int32_t> stored_array::labels() const {
  switch (type_) {
    case dtype::uint8:
      return narrowed(load<std::uint8_t, 1>(), name_);
    case dtype::int8:
      return narrowed(load<std::int8_t, 1>(), name_);
    case dtype::uint16:
      return narrowed(load<std::uint16_t, 1>(), name_);
    case dtype::int16:
      return narrowed(load<std::int16_t, 1>(), name_);
    case dtype::uint32:
      return narrowed(load<std::uint32_t, 1>(), name_);
    case dtype::int32:
      return narrowed(load<std::int32_t, 1>(), name_);
    case dtype::uint64:
      return narrowed(load<std::uint64_t, 1>(), name_);
    case dtype::int64:
      return narrowed(load<std::int64_t, 1>(), name_);
    default:
      throw format_error(name_, begin_,
                         "labels must be integers, but these are " + std::string(to_string(type_)));
  }
}

void stored_array::require(dtype type) const {
  if (type_ == type) return;
  throw format_error(
      name_, begin_,
      "the array is of " + std::string(to_string(type_)) + ", not of " + std::string(to_string(type)));
}

void stored_array::require(dtype type, int rank) const {
  require(type);
  if (extents_.size() == static_cast<std::size_t>(rank)) return;
  throw format_error(
      name_, begin_,
      "the array is " + printed(extents_) + ": one of rank " + std::to_string(rank) + " was asked for");
}

}  // namespace weft
