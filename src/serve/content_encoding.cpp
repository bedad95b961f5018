#include <serve/content_encoding.hpp>

#include <zlib.h>

#include <algorithm>  // for std::min, std::max
#include <cstring>    // for std::memcpy

namespace weft::detail {
namespace {

constexpr int gzip_or_zlib = 15 + 32;  // zlib's window bits: either header
constexpr int gzip_only = 15 + 16;
constexpr int fast = 1;                 // the level at which compressing costs least
constexpr std::size_t worth_it = 1400;  // below, all fits a packet anyway
constexpr std::size_t first_room =
    4096;  // grown by doubling: a bomb takes what it inflates to, at most the limit

Bytef* zlib_bytes(std::byte* bytes) noexcept {
  return static_cast<Bytef*>(static_cast<void*>(bytes));
}

class inflater {
 public:
  inflater() {
    if (inflateInit2(&stream_, gzip_or_zlib) != Z_OK) throw std::bad_alloc();
  }
  inflater(const inflater&) = delete;
  inflater& operator=(const inflater&) = delete;
  ~inflater() { inflateEnd(&stream_); }
  z_stream* operator->() noexcept { return &stream_; }
  int step() noexcept { return inflate(&stream_, Z_NO_FLUSH); }

 private:
  z_stream stream_{};
};

class deflater {
 public:
  deflater() {
    if (deflateInit2(&stream_, fast, Z_DEFLATED, gzip_only, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
  }
  deflater(const deflater&) = delete;
  deflater& operator=(const deflater&) = delete;
  ~deflater() { deflateEnd(&stream_); }

  void add(std::span<const std::byte> bytes, int flush, std::string& compressed) {
    // zlib does not write through next_in, whose type is for C.
    stream_.next_in = const_cast<Bytef*>(static_cast<const Bytef*>(static_cast<const void*>(bytes.data())));
    stream_.avail_in = static_cast<uInt>(bytes.size());
    do {
      Bytef room[4096];
      stream_.next_out = room;
      stream_.avail_out = sizeof(room);
      deflate(&stream_, flush);
      compressed.append(static_cast<const char*>(static_cast<const void*>(room)),
                        sizeof(room) - stream_.avail_out);
    } while (stream_.avail_out == 0);
  }

 private:
  z_stream stream_{};
};

}  // namespace

byte_block decode_body(const byte_block& body, std::string_view encoding, std::size_t most) {
  if (encoding.empty() || encoding == "identity") return body;
  if (encoding != "gzip" && encoding != "deflate") {
    throw http_error(
        415, "Content-Encoding: '" + std::string(encoding) + "' is not supported, gzip and deflate are");
  }
  inflater stream;
  stream->next_in = zlib_bytes(body.data());
  stream->avail_in = static_cast<uInt>(body.size());
  byte_block inflated(std::min(std::max(first_room, 4 * body.size()), most));
  std::size_t size = 0;
  while (true) {
    stream->next_out = zlib_bytes(inflated.data() + size);
    stream->avail_out = static_cast<uInt>(inflated.size() - size);
    const int state = stream.step();
    size = inflated.size() - stream->avail_out;
    if (state == Z_STREAM_END) break;
    if ((state != Z_OK && state != Z_BUF_ERROR) || (stream->avail_in == 0 && stream->avail_out != 0)) {
      throw http_error(400, "Content-Encoding: the body is not " + std::string(encoding) + ", or cut off");
    }
    if (stream->avail_out != 0) continue;
    if (inflated.size() == most) {
      throw http_error(413, "the body inflates to more than the limit of " + std::to_string(most) + " bytes");
    }
    const byte_block larger(std::min(2 * inflated.size(), most));
    std::memcpy(larger.data(), inflated.data(), size);
    inflated = larger;
  }
  if (stream->avail_in != 0)
    throw http_error(400, "Content-Encoding: there are bytes behind the compressed body");
  // What reads the body may look beyond its end.
  byte_block exact(size);
  if (size != 0) std::memcpy(exact.data(), inflated.data(), size);
  return exact;
}

bool accepts_gzip(std::string_view accepted) noexcept {
  return accepted.find("gzip") != std::string_view::npos;
}

void encode_response(http_response& response, std::string_view accepted) {
  if (!accepts_gzip(accepted) || response.size() < worth_it) return;
  std::string compressed;
  deflater stream;
  const bool alone = response.attachments.empty();
  stream.add(std::as_bytes(std::span(response.text)), alone ? Z_FINISH : Z_NO_FLUSH, compressed);
  for (const inference_tensor& each : response.attachments) {
    stream.add(each.bytes(), &each == &response.attachments.back() ? Z_FINISH : Z_NO_FLUSH, compressed);
  }
  response.text = std::move(compressed);
  response.attachments.clear();
  response.headers += "Content-Encoding: gzip\r\n";
}

}  // namespace weft::detail
