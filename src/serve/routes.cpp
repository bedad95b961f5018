#include <serve/routes.hpp>

#include <serve/content_encoding.hpp>
#include <serve/metrics_text.hpp>
#include <serve/model_json.hpp>

#include <observe/json.hpp>
#include <weft/pool/thread_pool.hpp>

#include <openssl/crypto.h>

#include <algorithm>  // for std::find_if
#include <exception>  // for std::exception_ptr
#include <utility>    // for std::move

namespace weft::detail {
namespace {

constexpr std::string_view server_json =
    R"({"name":"weft","version":")" WEFT_VERSION
    R"(","extensions":["binary_tensor_data","model_configuration","statistics"]})";

// Bytes of a body from which on a loop does not handle it itself: a millisecond or so for JSON, and what a
// compressed one may become.
constexpr std::size_t large_body = 128 * 1024;
constexpr std::size_t large_compressed = 4 * 1024;
// Bytes of an answer from which on compressing it takes a few times as long as handing it over.
constexpr std::size_t large_to_compress = 16 * 1024;

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> segments;
  if (!path.empty() && path.front() == '/') path.remove_prefix(1);
  while (true) {
    const std::size_t end = path.find('/');
    segments.push_back(path.substr(0, end));
    if (end == std::string_view::npos) return segments;
    path.remove_prefix(end + 1);
  }
}

[[noreturn]] void no_such_path(const http_request& request) {
  throw http_error(404, "there is nothing at '" + request.path + "'");
}

void require_method(const http_request& request, std::string_view method) {
  if (request.method == method) return;
  throw http_error(405, request.path + ": takes " + std::string(method) + ", not " + request.method,
                   "Allow: " + std::string(method) + "\r\n");
}

void require_tensors(const http_request& request) {
  const std::string_view whole = request.content_type;
  std::string_view type = whole.substr(0, whole.find(';'));
  while (!type.empty() && type.back() == ' ') type.remove_suffix(1);
  if (type.empty() || type == "application/json" || type == "application/octet-stream") return;
  throw http_error(415, "Content-Type: '" + std::string(whole) +
                            "' is not supported, application/json and application/octet-stream are");
}

// Counts a request for inference as long as it lives; throws http_error, 429, if there are too many.
class in_flight {
 public:
  in_flight(std::atomic<std::size_t>& count, std::size_t most) : count_(count) {
    if (count_.fetch_add(1) >= most) {
      count_.fetch_sub(1);
      throw http_error(429, "the server is answering as many requests as it may, " + std::to_string(most),
                       retry_after({}));
    }
  }
  in_flight(const in_flight&) = delete;
  in_flight& operator=(const in_flight&) = delete;
  ~in_flight() { count_.fetch_sub(1); }

 private:
  std::atomic<std::size_t>& count_;
};

// /v2/models/{m}[/versions/{v}][/{what}]
struct model_path {
  explicit model_path(const std::vector<std::string_view>& path) : name(path[2]) {
    std::size_t next = 3;
    if (next + 1 < path.size() && path[next] == "versions") {
      version = path[next + 1];
      next += 2;
      known = !version.empty();
    }
    if (next < path.size()) what = path[next++];
    known = known && next == path.size() && !name.empty();
  }
  std::string_view name;
  std::string_view version;
  std::string_view what;
  bool known = true;
};

std::size_t bytes_of(const std::vector<inference_tensor>& tensors) {
  std::size_t bytes = 0;
  for (const inference_tensor& each : tensors) bytes += each.bytes().size();
  return bytes;
}

bool about_models(const std::vector<std::string_view>& path) {
  return path.size() >= 3 && path[0] == "v2" && path[1] == "models";
}

}  // namespace

routes::routes(const server_options& options, model_repository& models, server_figures& figures,
               const std::atomic<bool>& draining)
    : options_(options),
      models_(models),
      figures_(figures),
      draining_(draining),
      aside_(std::make_unique<thread_pool>(
          thread_pool_options{.threads = static_cast<int>(options.threads), .name = "server bodies"})) {}

routes::~routes() = default;

task<http_response> routes::answer(http_request request) const {
  std::exception_ptr failure;
  http_response response;
  try {
    const segments path = split(request.path);
    authorize(request);
    auto decode = [&] {
      request.body = decode_body(request.body, request.content_encoding, options_.limits.body_bytes);
    };
    if (!request.content_encoding.empty() && request.body.size() >= large_compressed) {
      co_await aside_->run(decode);
    } else {
      decode();
    }
    const bool plain = request.path == "/predict";
    if (plain || (about_models(path) && path.back() == "infer")) {
      require_method(request, "POST");
      const std::shared_ptr<loaded_model> model = plain ? predicting_model() : asked_model(request, path);
      const in_flight counted(figures_.in_flight, options_.limits.in_flight);
      bool single = false;
      infer_call call;
      auto read = [&] { call = read_call(*model, request, plain ? &single : nullptr); };
      if (request.body.size() >= large_body) {
        co_await aside_->run(read);
      } else {
        read();
      }
      const std::vector<inference_tensor> outputs =
          co_await model->infer(std::move(call.inputs), call.options);
      auto write = [&] {
        response =
            plain ? write_predict(outputs[0], single) : write_infer(model->description(), call, outputs);
      };
      if (bytes_of(outputs) >= large_body) {
        co_await aside_->run(write);
      } else {
        write();
      }
    } else {
      response = answer_at_once(request, path);
    }
    auto encode = [&] { encode_response(response, request.accept_encoding); };
    if (accepts_gzip(request.accept_encoding) && response.size() >= large_to_compress) {
      co_await aside_->run(encode);
    } else {
      encode();
    }
  } catch (...) {
    failure = std::current_exception();
  }
  if (failure) response = error_response(failure);
  co_return response;
}

void routes::authorize(const http_request& request) const {
  const std::string& token = options_.bearer_token;
  if (token.empty() || request.path.starts_with("/v2/health/")) return;
  constexpr std::string_view scheme = "Bearer ";
  const std::string_view given = request.authorization;
  // The time of the comparison does not tell how much of the token was right.
  if (given.size() == scheme.size() + token.size() && given.starts_with(scheme) &&
      CRYPTO_memcmp(given.data() + scheme.size(), token.data(), token.size()) == 0) {
    return;
  }
  throw http_error(401, "Authorization: this server wants its bearer token", "WWW-Authenticate: Bearer\r\n");
}

bool routes::ready() const {
  return !draining_.load(std::memory_order_relaxed) && !models_.empty();
}

http_response routes::answer_at_once(const http_request& request, const segments& path) const {
  const auto page = std::find_if(options_.pages.begin(), options_.pages.end(),
                                 [&](const static_page& each) { return each.path == request.path; });
  if (page != options_.pages.end()) {
    require_method(request, "GET");
    return {.content_type = page->content_type, .text = page->content};
  }
  if (about_models(path)) {
    if (!model_path(path).known) no_such_path(request);
    require_method(request, "GET");
    return answer_about_model(path);
  }
  const auto get = [&](std::string_view json, unsigned status = 200) {
    require_method(request, "GET");
    return http_response{.status = status, .text = std::string(json)};
  };
  if (request.path == "/v2") return get(server_json);
  if (request.path == "/v2/health/live") return get(R"({"live":true})");
  if (request.path == "/v2/health/ready") {
    const bool now = ready();
    return get(now ? R"({"ready":true})" : R"({"ready":false})", now ? 200 : 503);
  }
  if (request.path == "/metrics") {
    require_method(request, "GET");
    return {.content_type = "text/plain; version=0.0.4; charset=utf-8",
            .text = prometheus_text(models_, figures_)};
  }
  no_such_path(request);
}

http_response routes::answer_about_model(const segments& path) const {
  const model_path asked(path);
  if (path.size() == 3 && asked.name == "stats") return {.text = stats_json(models_.all())};
  const std::shared_ptr<loaded_model> model = models_.find(asked.name, asked.version);
  const served_model& description = model->description();
  if (asked.what.empty()) {
    const auto versions =
        asked.version.empty() ? models_.versions(asked.name) : std::vector<std::string>{description.version};
    return {.text = metadata_json(description, versions)};
  }
  if (asked.what == "ready") {
    const bool now = ready();
    return {.status = now ? 200U : 503U,
            .text = "{\"name\":" + json_string(description.name) +
                    (now ? ",\"ready\":true}" : ",\"ready\":false}")};
  }
  if (asked.what == "config") return {.text = config_json(description)};
  if (asked.what == "stats") return {.text = stats_json({model})};
  throw http_error(404,
                   "a model has no '" + std::string(asked.what) + "', it has ready, config, stats and infer");
}

std::shared_ptr<loaded_model> routes::asked_model(const http_request& request, const segments& path) const {
  const model_path asked(path);
  if (!asked.known) no_such_path(request);
  return models_.find(asked.name, asked.version);
}

std::shared_ptr<loaded_model> routes::predicting_model() const {
  return options_.predict_model.empty() ? models_.only() : models_.find(options_.predict_model, {});
}

infer_call routes::read_call(loaded_model& model, const http_request& request, bool* single) const {
  try {
    require_tensors(request);
    if (single != nullptr) return read_predict(model.description(), request, options_.limits, *single);
    return read_infer(model.description(), request, options_.limits);
  } catch (...) {
    model.count_failure(failure_kind::other);
    throw;
  }
}

}  // namespace weft::detail
