#include <serve/http_message.hpp>

#include <observe/json.hpp>

#include <algorithm>  // for std::max
#include <cstring>    // for std::memset
#include <exception>  // for std::rethrow_exception
#include <new>        // for operator new, std::align_val_t, std::bad_alloc
#include <utility>    // for std::move

namespace weft::detail {
namespace {

constexpr std::size_t alignment = 64;
constexpr std::size_t padding = 64;  // at least SIMDJSON_PADDING

}  // namespace

byte_block::byte_block(std::size_t size, std::size_t aligned_at) : size_(size) {
  const std::size_t lead = (alignment - aligned_at % alignment) % alignment;
  auto* const start =
      static_cast<std::byte*>(::operator new (lead + size + padding, std::align_val_t{alignment}));
  std::memset(start + lead + size, 0, padding);
  memory_ = {start + lead, [start](std::byte*) { ::operator delete (start, std::align_val_t{alignment}); }};
}

std::size_t http_response::size() const noexcept {
  std::size_t total = text.size();
  for (const inference_tensor& each : attachments) total += each.bytes().size();
  return total;
}

void refuse(const std::string& what) {
  throw http_error(400, what);
}

std::string retry_after(std::chrono::milliseconds wait) {
  const auto seconds = std::max<std::int64_t>((wait.count() + 999) / 1000, 1);
  return "Retry-After: " + std::to_string(seconds) + "\r\n";
}

http_response error_response(unsigned status, std::string_view what, std::string headers) {
  return {.status = status, .headers = std::move(headers), .text = "{\"error\":" + json_string(what) + "}"};
}

http_response error_response(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const http_error& error) {
    return error_response(error.status(), error.what(), error.headers());
  } catch (const cancelled&) {
    throw;
  } catch (const overloaded& error) {
    return error_response(503, error.what(), retry_after(error.retry_after()));
  } catch (const batcher_closed&) {
    return error_response(503, "the model is being unloaded", retry_after({}));
  } catch (const timeout_error&) {
    return error_response(504, "the model did not answer within the request's time limit");
  } catch (const invalid_argument& error) {
    return error_response(400, error.what());
  } catch (const std::bad_alloc&) {
    return error_response(503, "the server has no memory for this request", retry_after({}));
  } catch (const std::exception& error) {
    return error_response(500, error.what());
  } catch (...) {
    return error_response(500, "the model threw something that is no std::exception");
  }
}

}  // namespace weft::detail
