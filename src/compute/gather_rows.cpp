#include <compute/cuda_kernel_table.hpp>
#include <compute/dispatch.hpp>
#include <compute/first_bad_row.hpp>
#include <weft/compute/kernels/gather_rows.hpp>

#include <cstring>  // for std::memcpy
#include <string>   // for std::to_string

namespace weft::detail {
namespace {

[[noreturn]] void refuse_row(std::int64_t row, std::int64_t source_rows) {
  throw invalid_argument("gather_rows: row " + std::to_string(row) + " is outside the source's " +
                         std::to_string(source_rows) + " rows");
}

}  // namespace

void gather(const cpu_context& context, const std::byte* source, std::int64_t source_rows,
            std::int64_t row_bytes, tensor_view<const std::int64_t, 1> rows, std::byte* output) {
  for (const std::int64_t row : rows) {
    if (row < 0 || row >= source_rows) refuse_row(row, source_rows);
  }
  if (row_bytes == 0) return;
  constexpr std::int64_t bytes_per_part = 65536;
  constexpr std::int64_t line_bytes = 64;
  // Rows far apart: the processor does not guess where the next one is. Longer ones it reads ahead itself.
  const std::int64_t rows_ahead = row_bytes <= 4096 ? 8 : 0;
  run_parts(context, rows.size(), std::max<std::int64_t>(1, bytes_per_part / row_bytes),
            [&](std::int64_t begin, std::int64_t end) {
              for (std::int64_t index = begin; index < end; ++index) {
                if (rows_ahead != 0 && index + rows_ahead < end) {
                  const std::byte* next = source + rows(index + rows_ahead) * row_bytes;
                  for (std::int64_t at = 0; at < row_bytes; at += line_bytes) __builtin_prefetch(next + at);
                }
                std::memcpy(output + index * row_bytes, source + rows(index) * row_bytes,
                            static_cast<std::size_t>(row_bytes));
              }
            });
}

void gather(const cuda_context& context, const std::byte* source, std::int64_t source_rows,
            std::int64_t row_bytes, tensor_view<const std::int64_t, 1> rows, std::byte* output) {
  if (rows.empty()) return;
  if (const auto row = find_bad_row(context, rows, source_rows)) refuse_row(*row, source_rows);
  if (row_bytes == 0) return;
  context.kernels().gather(context.stream(), source, row_bytes, rows.data(), rows.size(), output);
}

std::optional<std::int64_t> find_bad_row(const cuda_context& context, tensor_view<const std::int64_t, 1> rows,
                                         std::int64_t limit) {
  auto* place = static_cast<std::int64_t*>(context.scratch(sizeof(std::int64_t)));
  context.kernels().find_bad_row(context.stream(), rows.data(), rows.size(), limit, place);
  std::int64_t at = -1;
  context.copy(&at, place, sizeof at);
  context.synchronize();
  if (at < 0) return std::nullopt;
  std::int64_t row = 0;
  context.copy(&row, rows.data() + at, sizeof row);
  context.synchronize();
  return row;
}

}  // namespace weft::detail
