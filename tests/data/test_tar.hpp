#pragma once

#include <archive.h>        // for archive_write_new
#include <archive_entry.h>  // for archive_entry_new

#include <cstdint>  // for std::uint8_t
#include <cstdlib>  // for std::abort
#include <string>   // for std::string
#include <utility>  // for std::pair
#include <vector>   // for std::vector

namespace weft::test {

using named_files = std::vector<std::pair<std::string, std::vector<std::uint8_t>>>;

enum class compression { none, gzip, zstd };

/// A tar archive with these files; a name that ends in a slash is a folder.
inline std::vector<std::uint8_t> tar(const named_files& files, compression how = compression::none) {
  std::vector<std::uint8_t> out(1 << 20);
  for (const auto& [name, content] : files) out.resize(out.size() + content.size() + 4096);
  std::size_t used = 0;
  archive* open = archive_write_new();
  archive_write_set_format_pax_restricted(open);
  if (how == compression::gzip) archive_write_add_filter_gzip(open);
  if (how == compression::zstd) archive_write_add_filter_zstd(open);
  if (archive_write_open_memory(open, out.data(), out.size(), &used) != ARCHIVE_OK) std::abort();
  for (const auto& [name, content] : files) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, name.back() == '/' ? AE_IFDIR : AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    if (archive_write_header(open, entry) != ARCHIVE_OK) std::abort();
    archive_write_data(open, content.data(), content.size());
    archive_entry_free(entry);
  }
  if (archive_write_close(open) != ARCHIVE_OK) std::abort();
  archive_write_free(open);
  out.resize(used);
  return out;
}

}  // namespace weft::test
