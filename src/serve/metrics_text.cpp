#include <serve/metrics_text.hpp>

#include <weft/observe/metrics.hpp>

#include <fmt/format.h>

#include <array>        // for std::array
#include <iterator>     // for std::back_inserter
#include <string_view>  // for std::string_view
#include <variant>      // for std::get_if

namespace weft::detail {
namespace {

constexpr std::array<std::string_view, release_reasons> reason_names{"full", "preferred", "delay", "goal",
                                                                     "closing"};
constexpr std::array<std::string_view, failure_kinds> failure_names{"REJECTED", "CANCELED", "BACKEND",
                                                                    "OTHER"};

class exposition {
 public:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    fmt::format_to(std::back_inserter(text_), "# HELP {} {}\n# TYPE {} {}\n", name, escaped(help, false),
                   name, type);
  }
  template <class Value>
  void line(std::string_view labels, Value value, std::string_view suffix = "") {
    text_ += name_;
    text_ += suffix;
    if (!labels.empty()) fmt::format_to(std::back_inserter(text_), "{{{}}}", labels);
    fmt::format_to(std::back_inserter(text_), " {}\n", value);
  }
  std::string take() { return std::move(text_); }

  static std::string escaped(std::string_view text, bool quotes) {
    std::string result;
    for (const char letter : text) {
      if (letter == '\n') {
        result += "\\n";
        continue;
      }
      if (letter == '\\' || (quotes && letter == '"')) result += '\\';
      result += letter;
    }
    return result;
  }

 private:
  std::string text_;
  std::string name_;
};

struct model_row {
  std::string labels;
  model_figures figures;
};

double microseconds(std::uint64_t nanoseconds) {
  return static_cast<double>(nanoseconds) / 1e3;
}

template <class Value>
void each_model(exposition& out, const std::vector<model_row>& rows, std::string_view name,
                std::string_view type, std::string_view help, Value value) {
  out.begin(name, type, help);
  for (const model_row& row : rows) out.line(row.labels, value(row.figures));
}

void triton_metrics(exposition& out, const std::vector<model_row>& rows) {
  each_model(out, rows, "nv_inference_request_success", "counter", "Requests that were answered",
             [](const model_figures& f) { return f.succeeded; });
  out.begin("nv_inference_request_failure", "counter", "Requests that failed, by reason");
  for (const model_row& row : rows) {
    for (std::size_t i = 0; i < failure_kinds; ++i) {
      out.line(fmt::format(R"({},reason="{}")", row.labels, failure_names[i]), row.figures.failed[i]);
    }
  }
  each_model(out, rows, "nv_inference_count", "counter", "Items that were computed for answered requests",
             [](const model_figures& f) { return f.items; });
  each_model(out, rows, "nv_inference_exec_count", "counter", "Times that the model was called",
             [](const model_figures& f) { return f.executions; });
  each_model(out, rows, "nv_inference_pending_request_count", "gauge", "Requests that wait for a batch",
             [](const model_figures& f) { return f.batches.queued; });
  each_model(out, rows, "nv_inference_request_duration_us", "counter",
             "Time of the answered requests, all together",
             [](const model_figures& f) { return microseconds(f.success_ns); });
  each_model(out, rows, "nv_inference_queue_duration_us", "counter",
             "Time that requests waited for their batch",
             [](const model_figures& f) { return 1e6 * f.batches.queue_seconds; });
  each_model(out, rows, "nv_inference_compute_input_duration_us", "counter",
             "Time of putting batches together",
             [](const model_figures& f) { return microseconds(f.input_ns); });
  each_model(out, rows, "nv_inference_compute_infer_duration_us", "counter", "Time of the model",
             [](const model_figures& f) { return microseconds(f.compute_ns); });
  each_model(out, rows, "nv_inference_compute_output_duration_us", "counter", "Time of taking batches apart",
             [](const model_figures& f) { return microseconds(f.output_ns); });
}

void batch_metrics(exposition& out, const std::vector<model_row>& rows) {
  each_model(out, rows, "weft_batcher_queue_depth", "gauge", "Requests that wait for a batch",
             [](const model_figures& f) { return f.batches.queued; });
  each_model(out, rows, "weft_batcher_batches_running", "gauge", "Batches in the model",
             [](const model_figures& f) { return f.batches.running; });
  out.begin("weft_batcher_batches_released", "counter", "Batches, by why they left the queue");
  for (const model_row& row : rows) {
    for (std::size_t i = 0; i < release_reasons; ++i) {
      out.line(fmt::format(R"({},reason="{}")", row.labels, reason_names[i]),
               row.figures.batches.released[i]);
    }
  }
  out.begin("weft_batcher_batch_size", "histogram", "Requests of a batch");
  for (const model_row& row : rows) {
    const std::vector<std::uint64_t>& sizes = row.figures.batches.sizes;
    std::uint64_t count = 0;
    std::uint64_t sum = 0;
    // A bucket ends at each power of two, and at the largest size.
    for (std::size_t size = 1; size < sizes.size(); ++size) {
      count += sizes[size];
      sum += size * sizes[size];
      if ((size & (size - 1)) == 0 || size + 1 == sizes.size()) {
        out.line(fmt::format(R"({},le="{}")", row.labels, size), count, "_bucket");
      }
    }
    out.line(row.labels + R"(,le="+Inf")", count, "_bucket");
    out.line(row.labels, sum, "_sum");
    out.line(row.labels, count, "_count");
  }
}

void server_metrics(exposition& out, const server_figures& server) {
  out.begin("weft_http_connections", "gauge", "Connections that are open");
  out.line("", server.connections.load());
  out.begin("weft_http_connections_accepted", "counter", "Connections that were taken");
  out.line("", server.accepted.load());
  out.begin("weft_http_connections_refused", "counter", "Connections that were one too many");
  out.line("", server.refused.load());
  out.begin("weft_http_requests_in_flight", "gauge", "Requests for inference that are being answered");
  out.line("", server.in_flight.load());
  out.begin("weft_http_requests_left", "counter", "Requests whose client left before the answer");
  out.line("", server.left.load());
  out.begin("weft_http_responses", "counter", "Responses, by status");
  for (std::size_t status = 0; status < server.responses.size(); ++status) {
    const std::uint64_t count = server.responses[status].load(std::memory_order_relaxed);
    if (count != 0) out.line(fmt::format(R"(status="{}")", status), count);
  }
}

std::string labels_of(const metric_labels& labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    fmt::format_to(std::back_inserter(text), R"({}{}="{}")", text.empty() ? "" : ",", key,
                   exposition::escaped(value, true));
  }
  return text;
}

void process_metrics(exposition& out) {
  std::string previous;
  for (const metric_sample& sample : metrics().snapshot()) {
    const std::string labels = labels_of(sample.labels);
    const auto* const counter = std::get_if<std::uint64_t>(&sample.value);
    const auto* const gauge = std::get_if<double>(&sample.value);
    if (sample.name != previous) {
      out.begin(sample.name,
                counter != nullptr ? "counter"
                : gauge != nullptr ? "gauge"
                                   : "summary",
                sample.help);
      previous = sample.name;
    }
    if (counter != nullptr) {
      out.line(labels, *counter);
    } else if (gauge != nullptr) {
      out.line(labels, *gauge);
    } else {
      const auto& distribution = std::get<histogram_snapshot>(sample.value);
      for (const double share : {0.5, 0.9, 0.99}) {
        out.line(fmt::format(R"({}{}quantile="{}")", labels, labels.empty() ? "" : ",", share),
                 distribution.quantile(share));
      }
      out.line(labels, distribution.sum(), "_sum");
      out.line(labels, distribution.count(), "_count");
    }
  }
}

}  // namespace

std::string prometheus_text(const model_repository& models, const server_figures& server) {
  std::vector<model_row> rows;
  for (const auto& model : models.all()) {
    rows.push_back(
        {fmt::format(R"(model="{}",version="{}")", model->description().name, model->description().version),
         model->figures()});
  }
  exposition out;
  triton_metrics(out, rows);
  batch_metrics(out, rows);
  server_metrics(out, server);
  process_metrics(out);
  return out.take();
}

}  // namespace weft::detail
