#include <async/coroutines.hpp>
#include <serve/http_client.hpp>
#include <serve/served_models.hpp>
#include <weft/core/error.hpp>
#include <weft/pool/process_pool.hpp>
#include <weft/serve/server.hpp>

#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <latch>
#include <memory>
#include <thread>

namespace server_test {

using namespace std::chrono_literals;
using weft_test::doubler;
using weft_test::held_doubler;
using weft_test::held_path;
using weft_test::http_answer;
using weft_test::http_client;
using weft_test::infer_path;
using weft_test::metric;
using weft_test::one_item;
using weft_test::request_text;
using weft_test::wait_until;

template <class Error, class Do>
std::string message_of(Do what) {
  try {
    what();
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing was thrown";
}

TEST(ServerTest, OptionsThatCannotWorkAreNamed) {
  const auto message = [](weft::server_options options) {
    options.port = 0;
    return message_of<weft::invalid_argument>([&] { weft::inference_server server(std::move(options)); });
  };
  EXPECT_NE(message({.threads = 0}).find("threads is 0"), std::string::npos);
  EXPECT_NE(message({.limits = {.connections = 0}}).find("limits.connections is 0"), std::string::npos);
  EXPECT_NE(message({.limits = {.header = 0ms}}).find("limits.header is 0"), std::string::npos);
  EXPECT_NE(message({.limits = {.body_bytes = std::size_t{1} << 40}}).find("2 GiB"), std::string::npos);
  EXPECT_NE(message({.address = "nowhere"}).find("address is 'nowhere'"), std::string::npos);
  EXPECT_NE(message({.tls = {.certificate_chain = "a"}}).find("private_key"), std::string::npos);
  EXPECT_NE(message({.pages = {{"x", "", ""}}}).find("pages has the path 'x'"), std::string::npos);
  const weft::inference_server taken({.port = 0});
  EXPECT_NE(message_of<weft::error>([&] {
              weft::inference_server again({.port = taken.port()});
            }).find("cannot listen on 127.0.0.1"),
            std::string::npos);
}

TEST(ServerTest, ModelsThatCannotWorkAreNotLoaded) {
  weft::inference_server server({.port = 0});
  const auto message = [&](const auto& spoil) {
    weft::served_model model = doubler();
    spoil(model);
    return message_of<weft::invalid_argument>([&] { server.load(model); });
  };
  EXPECT_NE(message([](auto& model) { model.name = "a/b"; }).find("name is 'a/b'"), std::string::npos);
  EXPECT_NE(message([](auto& model) { model.version = ""; }).find("version is ''"), std::string::npos);
  EXPECT_NE(message([](auto& model) { model.inputs.clear(); }).find("inputs is empty"), std::string::npos);
  EXPECT_NE(message([](auto& model) {
              model.outputs.push_back(model.outputs[0]);
            }).find("outputs[1].name is 'y' again"),
            std::string::npos);
  EXPECT_NE(message([](auto& model) { model.inputs[0].shape = {0}; }).find("inputs[0].shape has 0"),
            std::string::npos);
  EXPECT_NE(message([](auto& model) { model.compute = nullptr; }).find("compute is empty"),
            std::string::npos);
  EXPECT_NE(message([](auto& model) { model.batching.max_batch_size = 0; }).find("max_batch_size"),
            std::string::npos);
  weft::served_model liar = doubler();
  liar.outputs[0].shape = {3};
  EXPECT_NE(message_of<weft::error>([&] {
              server.load(liar);
            }).find("output 'y' is FP32 [1, 2], it must be FP32 [1, 3]"),
            std::string::npos);
  EXPECT_EQ(http_client(server.port()).get("/v2/health/ready").status, 503);
  EXPECT_THROW(server.unload("double"), weft::invalid_argument);
}

TEST(ServerTest, WarmUpComputesOneItemAndAFullBatch) {
  weft::inference_server server({.port = 0});
  std::vector<std::int64_t> items;
  weft::served_model model = doubler();
  model.compute = [&items, compute = model.compute](const weft_test::tensors& inputs) {
    items.push_back(inputs[0].shape()[0]);
    return compute(inputs);
  };
  server.load(model);
  EXPECT_EQ(items, (std::vector<std::int64_t>{1, 8}));
}

TEST(ServerTest, TheGreatestVersionIsTheDefault) {
  weft::inference_server server({.port = 0});
  http_client client(server.port());
  const auto first = [&](const std::string& path) {
    const std::string body = client.post(path, one_item).body;
    return body.substr(body.find("\"data\":"));
  };
  for (const int version : {9, 10, 2}) {
    weft::served_model model = doubler("double", static_cast<float>(version));
    model.version = std::to_string(version);
    server.load(std::move(model));
  }
  EXPECT_EQ(first(infer_path), "\"data\":[10,25]}]}");
  EXPECT_EQ(first("/v2/models/double/versions/2/infer"), "\"data\":[2,5]}]}");
  EXPECT_NE(client.get("/v2/models/double").body.find(R"("versions":["2","9","10"])"), std::string::npos);
  server.unload("double", "10");
  EXPECT_EQ(first(infer_path), "\"data\":[9,22.5]}]}");
  EXPECT_THROW(server.unload("double", "10"), weft::invalid_argument);
  server.unload("double");
  EXPECT_EQ(client.post(infer_path, one_item).status, 404);
}

TEST(ServerTest, SwappingAModelDropsNoRequest) {
  weft::inference_server server({.port = 0, .threads = 2});
  server.load(doubler());
  std::atomic<int> bad{0};
  std::atomic<int> answered{0};
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([&](const std::stop_token& stop) {
        http_client client(server.port());
        while (!stop.stop_requested()) {
          if (client.post(infer_path, one_item).status != 200) ++bad;
          ++answered;
        }
      });
    }
    for (int i = 0; i < 40; ++i) {
      const int before = answered;
      server.load(doubler("double", static_cast<float>(i)));
      wait_until([&] { return answered > before + 4; });
    }
  }
  EXPECT_EQ(bad, 0);
}

TEST(ServerTest, AReplacedModelAnswersWhatItAccepted) {
  weft::inference_server server({.port = 0});
  const held_doubler held;
  server.load(held.model("double"));
  http_client old(server.port());
  old.send(request_text("POST", infer_path, one_item));
  held.wait_until_called();
  server.load(doubler("double", 100));
  EXPECT_NE(http_client(server.port()).post(infer_path, one_item).body.find("[100,250]"), std::string::npos);
  server.unload("double");
  held.open();
  EXPECT_NE(old.read()->body.find("[2,5]"), std::string::npos);
}

TEST(ServerTest, RequestsOfSeveralItemsShareABatchUpToItsSize) {
  weft::inference_server server({.port = 0});
  const held_doubler held;
  std::vector<std::int64_t> items;
  weft::served_model model = held.model();
  model.compute = [&items, compute = model.compute](const weft_test::tensors& inputs) {
    items.push_back(inputs[0].shape()[0]);
    return compute(inputs);
  };
  server.load(model);
  const auto request = [](int count) {
    std::string data = "[" + std::to_string(count) + ",0]";
    for (int i = 1; i < count; ++i) data += ",[" + std::to_string(count) + "," + std::to_string(i) + "]";
    return request_text("POST", held_path,
                        R"({"inputs":[{"name":"x","shape":[)" + std::to_string(count) +
                            R"(,2],"datatype":"FP32","data":[)" + data + "]}]}");
  };
  http_client first(server.port());
  first.send(request(1));
  held.wait_until_called();
  std::vector<std::unique_ptr<http_client>> clients;
  for (const int count : {3, 4, 5}) {
    clients.push_back(std::make_unique<http_client>(server.port()));
    clients.back()->send(request(count));
    wait_until([&] {
      return metric(server, R"(weft_batcher_queue_depth{model="held",version="1"})") ==
             static_cast<double>(clients.size());
    });
  }
  held.open();
  EXPECT_NE(clients[0]->read()->body.find("[6,0,6,2,6,4]"), std::string::npos);
  EXPECT_NE(clients[1]->read()->body.find("[8,0,8,2,8,4,8,6]"), std::string::npos);
  EXPECT_NE(clients[2]->read()->body.find("[10,0,10,2,10,4,10,6,10,8]"), std::string::npos);
  EXPECT_EQ(items, (std::vector<std::int64_t>{1, 7, 5}));  // a batch of 8 items at most
}

TEST(ServerTest, OverloadIsRefusedWithATimeToTryAgain) {
  weft::inference_server server({.port = 0, .limits = {.in_flight = 3}});
  const held_doubler held;
  weft::served_model model = held.model();
  model.batching.max_queue_size = 1;
  server.load(std::move(model));
  http_client running(server.port());
  http_client queued(server.port());
  http_client refused(server.port());
  running.send(request_text("POST", held_path, one_item));
  held.wait_until_called();
  queued.send(request_text("POST", held_path, one_item));
  wait_until([&] { return metric(server, R"(weft_batcher_queue_depth{model="held",version="1"})") == 1; });
  const http_answer full = refused.post(held_path, one_item);
  EXPECT_EQ(full.status, 503) << full.body;
  EXPECT_GE(std::stoi(full.headers.at("retry-after")), 1);
  // A model of its own would take one more, but the server has three already.
  server.load(doubler());
  const held_doubler other;
  server.load(other.model("other"));
  http_client third(server.port());
  third.send(request_text("POST", "/v2/models/other/infer", one_item));
  other.wait_until_called();
  const http_answer busy = refused.post(infer_path, one_item);
  EXPECT_EQ(busy.status, 429) << busy.body;
  EXPECT_EQ(busy.headers.at("retry-after"), "1");
  EXPECT_EQ(refused.get("/v2/health/ready").status, 200);
  held.open();
  other.open();
  EXPECT_EQ(running.read()->status, 200);
  EXPECT_EQ(queued.read()->status, 200);
  EXPECT_EQ(third.read()->status, 200);
}

TEST(ServerTest, AModelThatHangsCostsItsRequestsTheirTimeLimit) {
  weft::inference_server server({.port = 0});
  const held_doubler held;
  server.load(held.model());
  http_client client(server.port());
  const std::string body = std::string(one_item).substr(0, std::string(one_item).size() - 1) +
                           R"(,"parameters":{"timeout":1000}})";
  EXPECT_EQ(client.post(held_path, body).status, 504);
  EXPECT_EQ(client.get("/v2/health/live").status, 200);
  held.open();
}

// What a model does in another process: it ends at -1, and never at -2.
std::vector<float> double_elsewhere(std::vector<float> values) {
  if (values[0] == -1) std::raise(SIGKILL);
  while (values[0] == -2) pause();
  for (float& each : values) each *= 2;
  return values;
}

weft::served_model model_elsewhere(weft::process_pool& workers) {
  weft::served_model model = doubler();
  model.compute = [&workers](const weft_test::tensors& inputs) {
    const auto values = inputs[0].values<float>();
    auto doubled = workers.with({.timeout = values[0] == -2 ? 50ms : 0ms})
                       .submit<&double_elsewhere>(std::vector<float>(values.begin(), values.end()));
    return weft_test::tensors{weft::inference_tensor("y", inputs[0].shape(), doubled.get())};
  };
  return model;
}

TEST(ServerTest, AModelThatDiesFailsItsBatchAndIsReplaced) {
  weft::process_pool workers({.workers = 1, .forward_stderr = false});
  weft::inference_server server({.port = 0});
  server.load(model_elsewhere(workers));
  http_client client(server.port());
  for (int i = 0; i < 3; ++i) {
    const http_answer died = client.post("/predict", R"({"input":[-1,1]})");
    EXPECT_EQ(died.status, 500);
    EXPECT_NE(died.body.find("was killed by signal 9"), std::string::npos) << died.body;
    EXPECT_EQ(client.post("/predict", R"({"input":[3,1]})").body, R"({"output":[6,2]})");
  }
  EXPECT_EQ(metric(server, R"(nv_inference_request_failure{model="double",version="1",reason="BACKEND"})"),
            3);
}

TEST(ServerTest, AModelThatHangsElsewhereIsKilledAndReplaced) {
  weft::process_pool workers({.workers = 1, .forward_stderr = false});
  weft::inference_server server({.port = 0});
  server.load(model_elsewhere(workers));
  http_client client(server.port());
  EXPECT_EQ(client.post("/predict", R"({"input":[-2,1]})").status, 504);
  EXPECT_EQ(client.post("/predict", R"({"input":[3,1]})").body, R"({"output":[6,2]})");
}

TEST(ServerTest, ConnectionsAreLimited) {
  weft::inference_server server({.port = 0, .limits = {.connections = 2}});
  http_client first(server.port());
  http_client second(server.port());
  EXPECT_EQ(first.get("/v2").status, 200);
  EXPECT_EQ(second.get("/v2").status, 200);
  http_client third(server.port());
  const auto refused = third.read();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 503);
  EXPECT_EQ(refused->body, R"({"error":"the server has all the connections it may"})");
  EXPECT_TRUE(third.at_end());
  first.close();
  wait_until([&] { return server.connections() == 1; });
  EXPECT_EQ(http_client(server.port()).get("/v2").status, 200);
}

TEST(ServerTest, ThousandsOfConnectionsAreServed) {
  rlimit files{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &files), 0);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  // Each has two ends here, and the process some files besides.
  const std::size_t count = std::min<std::size_t>(10'000, files.rlim_cur / 2 - 200);
  weft::inference_server server({.port = 0, .threads = 2, .limits = {.idle = 1h}});
  server.load(doubler());
  std::vector<http_client> clients;
  for (std::size_t i = 0; i < count; ++i) clients.emplace_back(server.port());
  wait_until([&] { return server.connections() == count; });
  for (std::size_t i = 0; i < count; i += 97) EXPECT_EQ(clients[i].post(infer_path, one_item).status, 200);
  clients.clear();
  wait_until([&] { return server.connections() == 0; });
  RecordProperty("connections", static_cast<int>(count));
}

TEST(ServerTest, ATokenIsAskedForButForHealth) {
  weft::inference_server server({.port = 0, .bearer_token = "open sesame"});
  server.load(doubler());
  http_client client(server.port());
  for (const char* headers :
       {"", "Authorization: Bearer open sesamf\r\n", "Authorization: Bearer \r\n",
        "Authorization: Basic open sesame\r\n", "Authorization: Bearer open sesame2\r\n"}) {
    const http_answer answer = client.post(infer_path, one_item, headers);
    EXPECT_EQ(answer.status, 401) << headers;
    EXPECT_EQ(answer.headers.at("www-authenticate"), "Bearer");
  }
  EXPECT_EQ(client.get("/metrics").status, 401);
  EXPECT_EQ(client.get("/v2/health/live").status, 200);
  EXPECT_EQ(client.post(infer_path, one_item, "Authorization: Bearer open sesame\r\n").status, 200);
}

TEST(ServerTest, PagesAreServed) {
  weft::inference_server server({.port = 0, .pages = {{"/", "text/html", "<p>hello"}}});
  http_client client(server.port());
  const http_answer page = client.get("/?x=1");
  EXPECT_EQ(page.body, "<p>hello");
  EXPECT_EQ(page.headers.at("content-type"), "text/html");
  EXPECT_EQ(client.post("/", "").status, 405);
}

TEST(ServerTest, StoppingAnswersWhatWasAccepted) {
  weft::inference_server server({.port = 0, .limits = {.header = 1h}});
  const held_doubler held;
  server.load(held.model());
  http_client waits(server.port());
  http_client health(server.port());
  http_client idle(server.port());
  waits.send(request_text("POST", held_path, one_item));
  for (http_client* each : {&health, &idle}) EXPECT_EQ(each->get("/v2/health/ready").status, 200);
  held.wait_until_called();
  const std::string request = request_text("GET", "/v2/health/ready");
  health.send(request.substr(0, 10));
  bool clean = false;
  const auto begin = std::chrono::steady_clock::now();
  std::jthread stopper([&] { clean = server.stop(60s); });
  EXPECT_TRUE(idle.at_end());
  EXPECT_GE(std::chrono::steady_clock::now() - begin, 500ms) << "a request may have been on its way";
  // What has begun to come is answered, and told that this was the last time.
  const http_answer last = health.ask(request.substr(10));
  EXPECT_EQ(last.status, 503);
  EXPECT_EQ(last.headers.at("connection"), "close");
  EXPECT_TRUE(health.at_end());
  health.close();
  held.open();
  const auto answer = waits.read();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->headers.at("connection"), "close");
  waits.close();
  stopper.join();
  EXPECT_TRUE(clean);
  EXPECT_THROW(http_client(server.port()), std::runtime_error);
}

void wait_until_signals_are_caught() {
  wait_until([] {
    struct sigaction now {};
    sigaction(SIGTERM, nullptr, &now);
    return now.sa_handler != SIG_DFL;
  });
}

TEST(ServerTest, ASignalUnderLoadLosesNoRequest) {
  weft::inference_server server({.port = 0, .threads = 2});
  server.load(doubler());
  bool clean = false;
  std::jthread serving([&] { clean = server.serve_until_signal(60s); });
  wait_until_signals_are_caught();
  using clock = std::chrono::steady_clock;
  constexpr int count = 8;
  std::atomic<int> lost{0};
  std::atomic<clock::time_point> signalled{clock::time_point::max()};
  std::array<std::atomic<int>, count> answered{};
  std::vector<std::jthread> clients;
  for (int i = 0; i < count; ++i) {
    clients.emplace_back([&, i] {
      http_client client(server.port());
      while (true) {
        client.send(request_text("POST", infer_path, one_item));
        const auto sent = clock::now();
        const auto answer = client.read();
        // An open connection has half a second for one more request, which a busy machine may miss.
        if (!answer && sent - signalled.load() > 250ms) return;
        if (!answer || answer->status != 200) ++lost;
        ++answered[static_cast<std::size_t>(i)];
        if (!answer || answer->headers.count("connection") != 0) return;
      }
    });
  }
  for (const auto& each : answered) wait_until([&] { return each > 10; });
  signalled = clock::now();
  std::raise(SIGTERM);
  serving.join();
  EXPECT_TRUE(clean);
  clients.clear();
  EXPECT_EQ(lost, 0);
}

TEST(ServerTest, StoppingDropsWhatIsNotDoneInTime) {
  weft::inference_server server({.port = 0});
  const held_doubler held;
  server.load(held.model());
  http_client waits(server.port());
  waits.send(request_text("POST", held_path, one_item));
  held.wait_until_called();
  EXPECT_FALSE(server.stop(1ms));
  EXPECT_FALSE(waits.read());
  EXPECT_FALSE(server.stop(1ms));
}

TEST(ServerTest, ASignalStopsIt) {
  weft::inference_server server({.port = 0});
  server.load(doubler());
  bool clean = false;
  std::jthread serving([&] { clean = server.serve_until_signal(60s); });
  wait_until_signals_are_caught();
  EXPECT_EQ(http_client(server.port()).post(infer_path, one_item).status, 200);
  std::raise(SIGTERM);
  serving.join();
  EXPECT_TRUE(clean);
}

TEST(ServerTest, StoppingEndsServingUntilASignal) {
  weft::inference_server server({.port = 0});
  std::jthread serving([&] { EXPECT_TRUE(server.serve_until_signal(60s)); });
  EXPECT_TRUE(server.stop(60s));
}

// A certificate for the time of a test, that nobody has signed but itself.
class certificate {
 public:
  certificate() {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    X509* const made = X509_new();
    ASN1_INTEGER_set(X509_get_serialNumber(made), 1);
    X509_gmtime_adj(X509_getm_notBefore(made), -60);
    X509_gmtime_adj(X509_getm_notAfter(made), 3600);
    X509_set_pubkey(made, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(made, X509_get_subject_name(made));
    X509_sign(made, key, EVP_sha256());
    std::filesystem::create_directories(folder_);
    write(files().private_key,
          [&](FILE* file) { PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr); });
    write(files().certificate_chain, [&](FILE* file) { PEM_write_X509(file, made); });
    X509_free(made);
    EVP_PKEY_free(key);
  }
  ~certificate() { std::filesystem::remove_all(folder_); }
  weft::tls_files files() const { return {(folder_ / "chain.pem").string(), (folder_ / "key.pem").string()}; }

 private:
  template <class Write>
  static void write(const std::string& path, Write how) {
    FILE* const file = std::fopen(path.c_str(), "w");
    how(file);
    std::fclose(file);
  }
  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) / ("weft_tls_" + std::to_string(getpid()));
};

TEST(ServerTest, TlsServesTheSame) {
  const certificate own;
  weft::inference_server server({.port = 0, .tls = own.files()});
  server.load(doubler());
  SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  http_client tcp(server.port());
  SSL* const tls = SSL_new(context);
  SSL_set_fd(tls, tcp.socket());
  ASSERT_EQ(SSL_connect(tls), 1);
  for (int i = 0; i < 3; ++i) {
    const std::string request = request_text("POST", infer_path, one_item);
    ASSERT_EQ(SSL_write(tls, request.data(), static_cast<int>(request.size())),
              static_cast<int>(request.size()));
    std::string answer;
    char room[4096];
    while (answer.find("[2,5]}]}") == std::string::npos) {
      const int got = SSL_read(tls, room, sizeof(room));
      ASSERT_GT(got, 0);
      answer.append(room, static_cast<std::size_t>(got));
    }
    EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n"));
  }
  SSL_free(tls);
  SSL_CTX_free(context);
  // Without TLS there is no answer.
  http_client plain(server.port());
  plain.send(request_text("GET", "/v2"));
  const auto answer = plain.read();
  EXPECT_FALSE(answer && answer->status == 200);
}

TEST(ServerTest, TlsFilesThatCannotBeReadAreNamed) {
  EXPECT_NE(
      message_of<weft::error>([] {
        weft::inference_server server({.port = 0, .tls = {"/nonexistent/chain.pem", "/nonexistent/key.pem"}});
      }).find("/nonexistent/chain.pem: cannot use"),
      std::string::npos);
}

}  // namespace server_test
