#include <serve/loaded_model.hpp>

#include <serve/http_message.hpp>
#include <weft/serve/detail/batch_release.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>  // for std::all_of, std::equal
#include <cstring>    // for std::memcpy
#include <optional>   // for std::optional
#include <utility>    // for std::move

namespace weft::detail {
namespace {

using clock = std::chrono::steady_clock;

std::uint64_t nanoseconds(clock::duration time) noexcept {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(time).count());
}

void add(std::atomic<std::uint64_t>& total, std::uint64_t amount) noexcept {
  total.fetch_add(amount, std::memory_order_relaxed);
}

bool good_name(const std::string& name) {
  return !name.empty() && name != "." && name != ".." &&
         std::all_of(name.begin(), name.end(), [](char letter) {
           return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                  (letter >= '0' && letter <= '9') || letter == '_' || letter == '-' || letter == '.';
         });
}

void check_specs(const std::vector<tensor_spec>& specs, const std::string& field) {
  if (specs.empty())
    throw invalid_argument("served_model: " + field + " is empty, it must have at least one");
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const std::string mine = "served_model: " + field + "[" + std::to_string(i) + "]";
    if (specs[i].name.empty()) throw invalid_argument(mine + ".name is empty");
    for (const std::int64_t extent : specs[i].shape) {
      if (extent < 1 && extent != -1) {
        throw invalid_argument(mine + ".shape has " + std::to_string(extent) +
                               ", extents are positive, or -1 for any");
      }
    }
    for (std::size_t j = 0; j < i; ++j) {
      if (specs[j].name == specs[i].name)
        throw invalid_argument(mine + ".name is '" + specs[i].name + "' again");
    }
  }
}

served_model checked_model(served_model model) {
  if (!good_name(model.name)) {
    throw invalid_argument("served_model: name is '" + model.name +
                           "', it must have letters, digits, '_', '-' and '.'");
  }
  if (!good_name(model.version)) {
    throw invalid_argument("served_model: version is '" + model.version +
                           "', it must have letters, digits, '_', '-' and '.'");
  }
  check_specs(model.inputs, "inputs");
  check_specs(model.outputs, "outputs");
  if (!model.compute) throw invalid_argument("served_model: compute is empty");
  model.batching = checked(std::move(model.batching));
  return model;
}

bool same_items(const std::vector<inference_tensor>& one, const std::vector<inference_tensor>& other) {
  return std::equal(one.begin(), one.end(), other.begin(), other.end(),
                    [](const inference_tensor& a, const inference_tensor& b) {
                      return std::equal(a.shape().begin() + 1, a.shape().end(), b.shape().begin() + 1,
                                        b.shape().end());
                    });
}

// Requests of one number have items of one shape, nearly always: compute() looks again.
std::uint64_t hash_of_shapes(const std::vector<inference_tensor>& inputs) {
  std::uint64_t hash = 14695981039346656037ULL;  // FNV-1a
  for (const inference_tensor& each : inputs) {
    for (std::size_t i = 1; i < each.shape().size(); ++i) {
      hash = (hash ^ static_cast<std::uint64_t>(each.shape()[i])) * 1099511628211ULL;
    }
    hash = (hash ^ 0xff) * 1099511628211ULL;
  }
  return hash;
}

failure_kind kind_of(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const overloaded&) {
    return failure_kind::rejected;
  } catch (const cancelled&) {
    return failure_kind::canceled;
  } catch (const timeout_error&) {
    return failure_kind::canceled;
  } catch (...) {
    return failure_kind::backend;
  }
}

// The tensors of one input, one behind the other.
template <class TensorOf>
inference_tensor stack(std::size_t count, std::int64_t items, TensorOf tensor_of) {
  std::size_t size = 0;
  for (std::size_t i = 0; i < count; ++i) size += tensor_of(i).bytes().size();
  const byte_block block(size);
  std::byte* place = block.data();
  for (std::size_t i = 0; i < count; ++i) {
    const std::span<const std::byte> bytes = tensor_of(i).bytes();
    if (!bytes.empty()) std::memcpy(place, bytes.data(), bytes.size());
    place += bytes.size();
  }
  const inference_tensor& first = tensor_of(0);
  std::vector<std::int64_t> shape = first.shape();
  shape[0] = items;
  return {first.name(), first.type(), std::move(shape), block.bytes(), block.owner()};
}

// The first `items` items of what is left of an output.
class unstack {
 public:
  explicit unstack(const inference_tensor& whole) : whole_(whole), rest_(whole.bytes()) {
    per_item_ = whole.size() / std::max<std::int64_t>(whole.shape()[0], 1);
  }

  inference_tensor take(std::int64_t items) {
    std::vector<std::int64_t> shape = whole_.shape();
    shape[0] = items;
    const std::size_t size = bytes_of(items * per_item_);
    const std::span<const std::byte> mine = rest_.first(size);
    rest_ = rest_.subspan(size);
    return {whole_.name(), whole_.type(), std::move(shape), mine, whole_.owner()};
  }

 private:
  std::size_t bytes_of(std::int64_t elements) const {
    if (whole_.type() != wire_type::bytes) return static_cast<std::size_t>(elements) * size_of(whole_.type());
    std::size_t size = 0;
    for (std::int64_t i = 0; i < elements; ++i) {
      std::uint32_t length = 0;
      std::memcpy(&length, rest_.data() + size, sizeof(length));
      size += sizeof(length) + length;
    }
    return size;
  }

  const inference_tensor& whole_;
  std::span<const std::byte> rest_;
  std::int64_t per_item_;
};

}  // namespace

loaded_model::loaded_model(served_model model)
    : model_(checked_model(std::move(model))),
      batches_([this](std::span<const item_batch> requests) { return compute(requests); }, model_.batching,
               [](const item_batch& request) { return hash_of_shapes(request.tensors); }) {
  if (!model_.warm_up) return;
  warm_up(1);
  if (model_.batching.max_batch_size > 1) warm_up(static_cast<std::int64_t>(model_.batching.max_batch_size));
}

void loaded_model::warm_up(std::int64_t items) const {
  std::vector<inference_tensor> inputs;
  for (const tensor_spec& spec : model_.inputs) {
    std::vector<std::int64_t> shape{items};
    std::size_t count = static_cast<std::size_t>(items);
    for (const std::int64_t extent : spec.shape) {
      shape.push_back(extent == -1 ? 1 : extent);
      count *= static_cast<std::size_t>(shape.back());
    }
    // A text without letters is its length of 0.
    const byte_block zeros(count *
                           (spec.type == wire_type::bytes ? sizeof(std::uint32_t) : size_of(spec.type)));
    std::memset(zeros.data(), 0, zeros.size());
    inputs.emplace_back(spec.name, spec.type, std::move(shape), zeros.bytes(), zeros.owner());
  }
  checked_outputs(inputs, items);
}

task<std::vector<inference_tensor>> loaded_model::infer(std::vector<inference_tensor> inputs,
                                                        infer_options options) {
  const auto begin = clock::now();
  const std::int64_t items = inputs[0].shape()[0];
  item_batch request{std::move(inputs)};
  try {
    item_batch answer = co_await batches_.infer(std::move(request), options);
    add(totals_.succeeded, 1);
    add(totals_.success_ns, nanoseconds(clock::now() - begin));
    add(totals_.items, static_cast<std::uint64_t>(items));
    co_return std::move(answer.tensors);
  } catch (...) {
    count_failure(kind_of(std::current_exception()));
    add(totals_.failure_ns, nanoseconds(clock::now() - begin));
    throw;
  }
}

void loaded_model::count_failure(failure_kind kind) noexcept {
  add(totals_.failed[static_cast<std::size_t>(kind)], 1);
}

std::vector<inference_tensor> loaded_model::checked_outputs(const std::vector<inference_tensor>& inputs,
                                                            std::int64_t items) const {
  std::vector<inference_tensor> outputs = model_.compute(inputs);
  if (outputs.size() != model_.outputs.size()) {
    throw error(fmt::format("model '{}': compute returned {} outputs, it must return {}", model_.name,
                            outputs.size(), model_.outputs.size()));
  }
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const tensor_spec& spec = model_.outputs[i];
    const std::vector<std::int64_t>& shape = outputs[i].shape();
    bool fits = outputs[i].type() == spec.type && shape.size() == spec.shape.size() + 1 && shape[0] == items;
    for (std::size_t j = 0; fits && j < spec.shape.size(); ++j) {
      fits = spec.shape[j] == -1 || spec.shape[j] == shape[j + 1];
    }
    if (fits) continue;
    throw error(fmt::format("model '{}': output '{}' is {} [{}], it must be {} [{}{}{}]", model_.name,
                            spec.name, to_string(outputs[i].type()), fmt::join(shape, ", "),
                            to_string(spec.type), items, spec.shape.empty() ? "" : ", ",
                            fmt::join(spec.shape, ", ")));
  }
  return outputs;
}

std::vector<loaded_model::item_batch> loaded_model::compute(std::span<const item_batch> requests) {
  std::vector<item_batch> responses;
  responses.reserve(requests.size());
  const auto most = static_cast<std::int64_t>(model_.batching.max_batch_size);
  const auto items_of = [](const item_batch& request) { return request.tensors[0].shape()[0]; };
  for (std::size_t begin = 0; begin < requests.size();) {
    std::int64_t items = items_of(requests[begin]);
    std::size_t end = begin + 1;
    while (end < requests.size() && items + items_of(requests[end]) <= most &&
           same_items(requests[begin].tensors, requests[end].tensors)) {
      items += items_of(requests[end++]);
    }
    compute_together(requests.subspan(begin, end - begin), responses);
    begin = end;
  }
  return responses;
}

void loaded_model::compute_together(std::span<const item_batch> requests,
                                    std::vector<item_batch>& responses) {
  const auto start = clock::now();
  std::int64_t items = 0;
  for (const item_batch& each : requests) items += each.tensors[0].shape()[0];
  std::vector<inference_tensor> stacked;
  for (std::size_t i = 0; requests.size() > 1 && i < model_.inputs.size(); ++i) {
    stacked.push_back(stack(requests.size(), items, [&](std::size_t request) -> const inference_tensor& {
      return requests[request].tensors[i];
    }));
  }
  const auto ready = clock::now();
  std::vector<inference_tensor> outputs =
      checked_outputs(requests.size() > 1 ? stacked : requests[0].tensors, items);
  const auto computed = clock::now();
  if (requests.size() == 1) {
    responses.push_back({std::move(outputs)});
  } else {
    std::vector<unstack> parts;
    parts.reserve(outputs.size());
    for (const inference_tensor& each : outputs) parts.emplace_back(each);
    for (const item_batch& each : requests) {
      item_batch& mine = responses.emplace_back();
      for (unstack& part : parts) mine.tensors.push_back(part.take(each.tensors[0].shape()[0]));
    }
  }
  const auto end = clock::now();
  add(totals_.executions, 1);
  add(totals_.input_ns, nanoseconds(ready - start));
  add(totals_.compute_ns, nanoseconds(computed - ready));
  add(totals_.output_ns, nanoseconds(end - computed));
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  totals_.last_inference_ms.store(
      static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()),
      std::memory_order_relaxed);
}

model_figures loaded_model::figures() const {
  const auto read = [](const std::atomic<std::uint64_t>& total) {
    return total.load(std::memory_order_relaxed);
  };
  model_figures now;
  now.succeeded = read(totals_.succeeded);
  for (std::size_t i = 0; i < failure_kinds; ++i) now.failed[i] = read(totals_.failed[i]);
  now.items = read(totals_.items);
  now.executions = read(totals_.executions);
  now.success_ns = read(totals_.success_ns);
  now.failure_ns = read(totals_.failure_ns);
  now.input_ns = read(totals_.input_ns);
  now.compute_ns = read(totals_.compute_ns);
  now.output_ns = read(totals_.output_ns);
  now.last_inference_ms = read(totals_.last_inference_ms);
  now.batches = batches_.stats();
  return now;
}

}  // namespace weft::detail
