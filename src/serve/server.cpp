#include <weft/serve/server.hpp>

#include <serve/listener.hpp>
#include <serve/metrics_text.hpp>
#include <serve/serving_loop.hpp>
#include <weft/core/error.hpp>

#include <boost/asio/signal_set.hpp>

#include <algorithm>           // for std::clamp, std::min
#include <condition_variable>  // for std::condition_variable
#include <csignal>             // for SIGINT, SIGTERM
#include <limits>              // for std::numeric_limits
#include <mutex>               // for std::mutex
#include <utility>             // for std::move
#include <vector>              // for std::vector

namespace weft {
namespace detail {
namespace {

namespace ssl = boost::asio::ssl;

template <class Value>
void require_positive(Value value, const char* name) {
  if (value < 1) {
    throw invalid_argument("server_options: " + std::string(name) + " is " + std::to_string(value) +
                           ", it must be at least 1");
  }
}

server_options checked(server_options options) {
  const server_limits& limits = options.limits;
  require_positive(options.threads, "threads");
  require_positive(limits.header_bytes, "limits.header_bytes");
  require_positive(limits.body_bytes, "limits.body_bytes");
  require_positive(limits.tensor_elements, "limits.tensor_elements");
  require_positive(limits.connections, "limits.connections");
  require_positive(limits.in_flight, "limits.in_flight");
  require_positive(limits.idle.count(), "limits.idle");
  require_positive(limits.header.count(), "limits.header");
  require_positive(limits.body.count(), "limits.body");
  constexpr std::size_t largest = std::numeric_limits<std::int32_t>::max();
  if (limits.body_bytes > largest || limits.header_bytes > largest) {
    throw invalid_argument("server_options: limits.header_bytes and limits.body_bytes must be below 2 GiB");
  }
  if (options.tls.certificate_chain.empty() != options.tls.private_key.empty()) {
    throw invalid_argument("server_options: tls needs both certificate_chain and private_key, or neither");
  }
  for (const static_page& page : options.pages) {
    if (!page.path.starts_with('/')) {
      throw invalid_argument("server_options: pages has the path '" + page.path +
                             "', it must begin with '/'");
    }
  }
  return options;
}

ssl::context tls_context(const tls_files& files) {
  ssl::context context(ssl::context::tls_server);
  context.set_options(ssl::context::default_workarounds | ssl::context::no_sslv2 | ssl::context::no_sslv3 |
                      ssl::context::no_tlsv1 | ssl::context::no_tlsv1_1);
  boost::system::error_code problem;
  if (context.use_certificate_chain_file(files.certificate_chain, problem)) {
    throw error(files.certificate_chain + ": cannot use the certificate chain: " + problem.message());
  }
  if (context.use_private_key_file(files.private_key, ssl::context::pem, problem)) {
    throw error(files.private_key + ": cannot use the private key: " + problem.message());
  }
  return context;
}

// Often enough that no limit is exceeded by more than a quarter.
std::chrono::milliseconds tick_of(const server_limits& limits) {
  using std::chrono::milliseconds;
  return std::clamp(std::min({limits.idle, limits.header, limits.body}) / 4, milliseconds(5),
                    milliseconds(100));
}

}  // namespace

server_core::server_core(server_options chosen) : options(checked(std::move(chosen))) {
  if (!options.tls.certificate_chain.empty()) tls.emplace(tls_context(options.tls));
}

}  // namespace detail

struct inference_server::implementation {
  explicit implementation(server_options options) : core(std::move(options)) {
    core.connection_closed = [this] {
      if (!core.draining.load()) return;
      { const std::lock_guard lock(mutex); }  // who waits is before its look at the count, or waiting
      changed.notify_all();
    };
    const auto tick = detail::tick_of(core.options.limits);
    for (std::size_t i = 0; i < core.options.threads; ++i) {
      loops.push_back(std::make_unique<detail::serving_loop>(core, tick));
    }
    door = std::make_unique<detail::listener>(core, loops);
    door->start();
  }

  bool stop(std::chrono::milliseconds patience) {
    const std::lock_guard once(stopping);
    if (stopped) return answered_all;
    const auto begin = detail::connection_clock::now();
    core.drain_begin.store(begin.time_since_epoch());
    core.draining.store(true);
    door->close([this] {
      const std::lock_guard lock(mutex);
      door_closed = true;
      changed.notify_all();
    });
    {
      const auto done = [this] { return door_closed && core.figures.connections.load() == 0; };
      std::unique_lock lock(mutex);
      answered_all = changed.wait_until(lock, begin + patience, done);
      if (!answered_all) {
        changed.wait(lock, [this] { return door_closed; });
        for (const auto& loop : loops) loop->abort();
        changed.wait(lock, done);
      }
      stopped = true;
    }
    changed.notify_all();
    return answered_all;
  }

  detail::server_core core;
  std::mutex stopping;
  std::mutex mutex;
  std::condition_variable changed;
  bool door_closed = false;
  bool signalled = false;
  bool stopped = false;
  bool answered_all = false;
  std::vector<std::unique_ptr<detail::serving_loop>> loops;
  std::unique_ptr<detail::listener> door;
};

inference_server::inference_server(server_options options)
    : implementation_(std::make_unique<implementation>(std::move(options))) {}

inference_server::~inference_server() {
  stop({});
  for (const auto& loop : implementation_->loops) loop->halt();
}

std::uint16_t inference_server::port() const noexcept {
  return implementation_->door->port();
}

void inference_server::load(served_model model) {
  implementation_->core.models.load(std::move(model));
}

void inference_server::unload(std::string_view name, std::string_view version) {
  implementation_->core.models.unload(name, version);
}

bool inference_server::stop(std::chrono::milliseconds patience) {
  return implementation_->stop(patience);
}

bool inference_server::serve_until_signal(std::chrono::milliseconds patience) {
  implementation& mine = *implementation_;
  boost::asio::signal_set signals(mine.loops.front()->context(), SIGINT, SIGTERM);
  signals.async_wait([&mine](boost::system::error_code problem, int) {
    if (problem) return;
    const std::lock_guard lock(mine.mutex);
    mine.signalled = true;
    mine.changed.notify_all();
  });
  {
    std::unique_lock lock(mine.mutex);
    mine.changed.wait(lock, [&mine] { return mine.signalled || mine.stopped; });
  }
  return stop(patience);
}

std::string inference_server::metrics_text() const {
  return detail::prometheus_text(implementation_->core.models, implementation_->core.figures);
}

std::size_t inference_server::connections() const noexcept {
  return implementation_->core.figures.connections.load();
}

}  // namespace weft
