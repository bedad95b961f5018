#include <serve/model_json.hpp>

#include <observe/json.hpp>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <iterator>  // for std::back_inserter

namespace weft::detail {
namespace {

std::string metadata_specs(const std::vector<tensor_spec>& specs) {
  std::string text;
  for (const tensor_spec& spec : specs) {
    fmt::format_to(std::back_inserter(text), R"({}{{"name":{},"datatype":"{}","shape":[-1{}{}]}})",
                   text.empty() ? "" : ",", json_string(spec.name), to_string(spec.type),
                   spec.shape.empty() ? "" : ",", fmt::join(spec.shape, ","));
  }
  return text;
}

std::string config_specs(const std::vector<tensor_spec>& specs) {
  std::string text;
  for (const tensor_spec& spec : specs) {
    fmt::format_to(std::back_inserter(text), R"({}{{"name":{},"data_type":"TYPE_{}","dims":[{}]}})",
                   text.empty() ? "" : ",", json_string(spec.name),
                   spec.type == wire_type::bytes ? "STRING" : to_string(spec.type),
                   fmt::join(spec.shape, ","));
  }
  return text;
}

std::string duration(std::string_view name, std::uint64_t count, std::uint64_t nanoseconds) {
  return fmt::format(R"("{}":{{"count":{},"ns":{}}})", name, count, nanoseconds);
}

std::string stats_of(const loaded_model& model) {
  const model_figures f = model.figures();
  std::uint64_t failed = 0;
  for (const std::uint64_t count : f.failed) failed += count;
  const auto queue_ns = static_cast<std::uint64_t>(1e9 * f.batches.queue_seconds);
  const std::string durations =
      fmt::format("{},{},{},{},{},{},{},{}", duration("success", f.succeeded, f.success_ns),
                  duration("fail", failed, f.failure_ns), duration("queue", f.succeeded, queue_ns),
                  duration("compute_input", f.executions, f.input_ns),
                  duration("compute_infer", f.executions, f.compute_ns),
                  duration("compute_output", f.executions, f.output_ns), duration("cache_hit", 0, 0),
                  duration("cache_miss", 0, 0));
  std::string sizes;
  for (std::size_t size = 1; size < f.batches.sizes.size(); ++size) {
    if (f.batches.sizes[size] == 0) continue;
    fmt::format_to(std::back_inserter(sizes), R"({}{{"requests":{},"count":{}}})", sizes.empty() ? "" : ",",
                   size, f.batches.sizes[size]);
  }
  return fmt::format(
      R"({{"name":{},"version":{},"last_inference":{},"inference_count":{},"execution_count":{},)"
      R"("inference_stats":{{{}}},"batch_stats":[],"queued":{},"batch_sizes":[{}]}})",
      json_string(model.description().name), json_string(model.description().version), f.last_inference_ms,
      f.items, f.executions, durations, f.batches.queued, sizes);
}

}  // namespace

std::string metadata_json(const served_model& model, const std::vector<std::string>& versions) {
  std::string listed;
  for (const std::string& version : versions) {
    fmt::format_to(std::back_inserter(listed), "{}{}", listed.empty() ? "" : ",", json_string(version));
  }
  return fmt::format(R"({{"name":{},"versions":[{}],"platform":"weft","inputs":[{}],"outputs":[{}]}})",
                     json_string(model.name), listed, metadata_specs(model.inputs),
                     metadata_specs(model.outputs));
}

std::string config_json(const served_model& model) {
  const batcher_options& batching = model.batching;
  return fmt::format(
      R"({{"name":{},"platform":"weft","backend":"weft","max_batch_size":{},"input":[{}],"output":[{}],)"
      R"("dynamic_batching":{{"preferred_batch_size":[{}],"max_queue_delay_microseconds":{},"preserve_ordering":{},)"
      R"("priority_levels":{},"default_queue_policy":{{"max_queue_size":{},"default_timeout_microseconds":{}}}}},)"
      R"("instance_group":[{{"name":{},"count":{}}}],"model_transaction_policy":{{"decoupled":false}}}})",
      json_string(model.name), batching.max_batch_size, config_specs(model.inputs),
      config_specs(model.outputs), fmt::join(batching.preferred_batch_sizes, ","),
      batching.max_queue_delay.count(), batching.preserve_order, batching.priority_levels,
      batching.max_queue_size, batching.default_timeout.count(), json_string(model.name), batching.instances);
}

std::string stats_json(const std::vector<std::shared_ptr<loaded_model>>& models) {
  std::vector<std::string> each;
  each.reserve(models.size());
  for (const auto& model : models) each.push_back(stats_of(*model));
  return fmt::format(R"({{"model_stats":[{}]}})", fmt::join(each, ","));
}

}  // namespace weft::detail
