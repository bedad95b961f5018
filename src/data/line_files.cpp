#include <data/kept_file.hpp>
#include <weft/core/error.hpp>
#include <weft/data/line_files.hpp>

#include <algorithm>  // for std::upper_bound, std::swap
#include <cstring>    // for std::memchr
#include <utility>    // for std::swap

namespace weft {
namespace {

constexpr std::size_t line_block_bytes = std::size_t{1} << 20;

}  // namespace

line_files::line_files(const std::vector<std::string>& files, line_options options) {
  if (files.empty()) throw invalid_argument("line_files: there is no file");
  if (options.limit < 1) {
    throw invalid_argument("line_options.limit is " + std::to_string(options.limit) +
                           "; it must be at least 1");
  }
  for (const std::string& path : files) {
    files_.push_back(
        {std::make_shared<const detail::kept_file>(path, files_.size() < detail::most_kept_open), size()});
    find_lines(files_.back(), options);
  }
  begins_.shrink_to_fit();
}

void line_files::find_lines(const file& in, const line_options& options) {
  in.content->with([&](const open_file& content) {
    const std::string& path = in.content->path();
    std::vector<std::uint8_t> block(line_block_bytes);
    std::int64_t begin = 0;
    std::int64_t at = 0;
    begins_.push_back(0);
    const auto require_short = [&](std::int64_t end) {
      if (end - begin <= options.limit) return;
      throw format_error(path, begin,
                         "the line is longer than the limit of " + std::to_string(options.limit) + " bytes");
    };
    for (std::size_t filled = content.read_some_at(at, block); filled > 0;
         filled = content.read_some_at(at, block)) {
      if (at == 0 && filled > 1 && block[0] == 0x1f && block[1] == 0x8b) {
        throw format_error(path, 0, "the file is gzip: its lines have no places; inflate it first");
      }
      const std::uint8_t* const front = block.data();
      const std::uint8_t* from = front;
      while (const void* found = std::memchr(from, '\n', filled - static_cast<std::size_t>(from - front))) {
        from = static_cast<const std::uint8_t*>(found) + 1;
        require_short(at + (from - front) - 1);
        begin = at + (from - front);
        begins_.push_back(begin);
      }
      at += static_cast<std::int64_t>(filled);
      require_short(at);
    }
    if (begins_.back() != at) begins_.push_back(at);
  });
}

std::int64_t line_files::size() const noexcept {
  return static_cast<std::int64_t>(begins_.size()) - static_cast<std::int64_t>(files_.size());
}

const line_files::file& line_files::file_of(std::int64_t index) const {
  const auto behind =
      std::upper_bound(files_.begin(), files_.end(), index,
                       [](std::int64_t line, const file& each) { return line < each.first_line; });
  return *(behind - 1);
}

std::string line_files::name(std::int64_t index) const {
  const file& in = file_of(index);
  return in.content->path() + ": line " + std::to_string(index - in.first_line + 1);
}

void line_files::will_need(std::int64_t index) const {
  const file& in = file_of(index);
  const std::int64_t* const begin = begins_.data() + index + (&in - files_.data());
  in.content->will_need(begin[0], begin[1] - begin[0]);
}

std::int64_t line_files::load(const sample_request& request, batch_type& batch) const {
  const file& in = file_of(request.index);
  const std::int64_t* const begin = begins_.data() + request.index + (&in - files_.data());
  std::string& line = batch[static_cast<std::size_t>(request.row)];
  line.resize(static_cast<std::size_t>(begin[1] - begin[0]));
  in.content->with([&](const open_file& content) {
    content.read_at(begin[0], {reinterpret_cast<std::uint8_t*>(line.data()), line.size()});
  });
  const auto bytes = static_cast<std::int64_t>(line.size());
  if (line.ends_with('\n')) line.pop_back();
  if (line.ends_with('\r')) line.pop_back();
  return bytes;
}

void line_files::keep(batch_type& batch, std::span<const std::int64_t> rows) const {
  std::size_t kept = 0;
  for (const std::int64_t row : rows) std::swap(batch[kept++], batch[static_cast<std::size_t>(row)]);
  batch.resize(kept);
}

}  // namespace weft
