#include <async/coroutines.hpp>
#include <serve/http_client.hpp>
#include <serve/served_models.hpp>
#include <weft/observe/trace.hpp>
#include <weft/serve/server.hpp>

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <random>
#include <sstream>
#include <thread>

namespace connection_test {

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

std::string deflated(const std::string& text, int window_bits) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, window_bits, 9, Z_DEFAULT_STRATEGY);
  std::string result(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  deflate(&stream, Z_FINISH);
  result.resize(stream.total_out);
  deflateEnd(&stream);
  return result;
}

std::string inflated(const std::string& bytes) {
  z_stream stream{};
  inflateInit2(&stream, 15 + 32);
  std::string result(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(result.data());
  stream.avail_out = static_cast<uInt>(result.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  result.resize(stream.total_out);
  inflateEnd(&stream);
  return result;
}

std::unique_ptr<weft::inference_server> serve(weft::server_options options = {}) {
  options.port = 0;
  auto server = std::make_unique<weft::inference_server>(std::move(options));
  server->load(doubler());
  return server;
}

TEST(ConnectionTest, ManyRequestsUseOneConnection) {
  const auto server = serve();
  http_client client(server->port());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.post(infer_path, one_item).status, 200);
  EXPECT_EQ(metric(*server, "weft_http_connections_accepted"), 1);
}

TEST(ConnectionTest, PipelinedRequestsAreAnsweredInOrder) {
  const auto server = serve();
  http_client client(server->port());
  std::string all;
  for (int i = 0; i < 300; ++i) {
    all += request_text("POST", infer_path,
                        R"({"id":")" + std::to_string(i) +
                            R"(","inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]})");
  }
  std::jthread sender([&] { client.send(all); });
  for (int i = 0; i < 300; ++i) {
    const auto answer = client.read();
    ASSERT_TRUE(answer);
    EXPECT_NE(answer->body.find("\"id\":\"" + std::to_string(i) + "\""), std::string::npos);
  }
}

TEST(ConnectionTest, ARequestMayComeByteByByte) {
  const auto server = serve();
  http_client client(server->port());
  for (const char byte : request_text("POST", infer_path, one_item)) client.send(std::string(1, byte));
  EXPECT_EQ(client.read()->status, 200);
}

TEST(ConnectionTest, ABodyMayComeInChunks) {
  const auto server = serve();
  http_client client(server->port());
  client.send("POST /v2/models/double/infer HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string body = one_item;
  for (std::size_t i = 0; i < body.size(); i += 10) {
    const std::string part = body.substr(i, 10);
    char size[16];
    std::snprintf(size, sizeof(size), "%zx\r\n", part.size());
    client.send(size + part + "\r\n");
  }
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.read()->status, 200);
  EXPECT_EQ(client.get("/v2").status, 200);
}

TEST(ConnectionTest, TheConnectionClosesWhenTheClientWantsIt) {
  const auto server = serve();
  http_client client(server->port());
  EXPECT_EQ(client.get("/v2", "Connection: close\r\n").headers.at("connection"), "close");
  EXPECT_TRUE(client.at_end());
  http_client old(server->port());
  old.send("GET /v2 HTTP/1.0\r\n\r\n");
  EXPECT_EQ(old.read()->status, 200);
  EXPECT_TRUE(old.at_end());
}

TEST(ConnectionTest, WhoExpectsIsToldToContinue) {
  const auto server = serve();
  http_client client(server->port());
  const std::string body = one_item;
  client.send("POST /v2/models/double/infer HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_EQ(client.read(true)->status, 100);
  EXPECT_EQ(client.ask(body).status, 200);
}

TEST(ConnectionTest, BodiesMayBeCompressedBothWays) {
  const auto server = serve();
  http_client client(server->port());
  for (const auto& [encoding, bits] : {std::pair("gzip", 31), std::pair("deflate", 15)}) {
    const std::string headers = "Content-Encoding: " + std::string(encoding) + "\r\n";
    EXPECT_EQ(client.post(infer_path, deflated(one_item, bits), headers).status, 200);
    EXPECT_EQ(client.post(infer_path, deflated(one_item, bits).substr(0, 30), headers).status, 400);
    EXPECT_EQ(client.post(infer_path, one_item, headers).status, 400);
    EXPECT_EQ(client.post(infer_path, deflated(one_item, bits) + "more", headers).status, 400);
  }
  const http_answer plain = client.get("/metrics");
  const http_answer compressed = client.get("/metrics", "Accept-Encoding: gzip, deflate\r\n");
  EXPECT_EQ(compressed.headers.at("content-encoding"), "gzip");
  EXPECT_LT(compressed.body.size(), plain.body.size());
  EXPECT_EQ(inflated(compressed.body).substr(0, 500), plain.body.substr(0, 500));
}

TEST(ConnectionTest, LargeBodiesAreAnsweredToo) {
  const auto server = serve();
  server->load(weft_test::echo(weft::wire_type::int32));
  http_client client(server->port());
  std::string data = "1000000";
  for (int i = 1; i < 100'000; ++i) data += "," + std::to_string(1'000'000 + i);
  const std::string path = "/v2/models/echo/infer";
  const std::string body =
      R"({"inputs":[{"name":"in","shape":[1,100000],"datatype":"INT32","data":[)" + data + "]}]}";
  EXPECT_NE(client.post(path, body).body.find(data), std::string::npos);
  const http_answer compressed =
      client.post(path, deflated(body, 31), "Content-Encoding: gzip\r\nAccept-Encoding: gzip\r\n");
  EXPECT_NE(inflated(compressed.body).find(data), std::string::npos);
  EXPECT_EQ(client.post(path, body.substr(0, body.size() - 2)).status, 400);
  EXPECT_EQ(client.post(path, deflated(body, 31).substr(0, 5000), "Content-Encoding: gzip\r\n").status, 400);
  http_client leaves(server->port());
  leaves.send(request_text("POST", path, body));
  leaves.reset();
  EXPECT_EQ(client.post(infer_path, one_item).status, 200);
}

TEST(ConnectionTest, WhatTakesLongToCompressIsCompressedAside) {
  const std::string trace_path = testing::TempDir() + "weft_compressed_aside_" + std::to_string(::getpid());
  const std::string large(100'000, 'x');
  weft::server_options options;
  options.pages = {{"/large", "text/plain", large}, {"/small", "text/plain", large.substr(0, 5000)}};
  const auto goes_aside = [&](const std::string& path, const std::string& headers, std::size_t size) {
    weft::trace::start(trace_path);
    {
      const auto server = serve(options);
      http_client client(server->port());
      const http_answer answer = client.get(path, headers);
      EXPECT_EQ(headers.empty() ? answer.body : inflated(answer.body), large.substr(0, size));
    }
    weft::trace::stop();
    std::stringstream text;
    text << std::ifstream(trace_path).rdbuf();
    return text.str().find("\"server bodies\"") != std::string::npos;
  };
  EXPECT_TRUE(goes_aside("/large", "Accept-Encoding: gzip\r\n", large.size()));
  EXPECT_FALSE(goes_aside("/large", "", large.size()));
  EXPECT_FALSE(goes_aside("/small", "Accept-Encoding: gzip\r\n", 5000));
  std::remove(trace_path.c_str());
}

TEST(ConnectionTest, ACompressedBodyIsLimitedByWhatItInflatesTo) {
  weft::server_options options;
  options.limits.body_bytes = 1 << 20;
  const auto server = serve(options);
  http_client client(server->port());
  const std::string bomb = deflated(std::string(64 << 20, ' '), 31);
  ASSERT_LT(bomb.size(), options.limits.body_bytes);
  EXPECT_EQ(client.post(infer_path, bomb, "Content-Encoding: gzip\r\n").status, 413);
  EXPECT_EQ(
      client.post(infer_path, deflated(std::string(1 << 20, ' '), 31), "Content-Encoding: gzip\r\n").status,
      400);
}

TEST(ConnectionTest, WhatIsTooLargeIsRefused) {
  weft::server_options options;
  options.limits.body_bytes = 1000;
  options.limits.header_bytes = 500;
  options.limits.tensor_elements = 6;
  const auto server = serve(options);
  EXPECT_EQ(http_client(server->port()).post("/predict", std::string(1001, ' ')).status, 413);
  EXPECT_EQ(http_client(server->port()).get("/v2", "X: " + std::string(600, 'x') + "\r\n").status, 431);
  http_client chunked(server->port());
  chunked.send("POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n400\r\n");
  chunked.send(std::string(1024, ' '));
  EXPECT_EQ(chunked.read()->status, 413);
  http_client endless(server->port());
  endless.send("POST /predict HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1;x=" +
               std::string(2000, 'x'));
  EXPECT_GE(endless.read()->status, 400);
  http_client client(server->port());
  EXPECT_EQ(client.post(infer_path, R"({"inputs":[{"name":"x","shape":[4,2],"datatype":"FP32","data":[1]}]})")
                .status,
            413);
  EXPECT_EQ(
      client
          .post(infer_path,
                R"({"inputs":[{"name":"x","shape":[4611686018427387904,4],"datatype":"FP32","data":[]}]})")
          .status,
      413);
}

TEST(ConnectionTest, MalformedRequestsAreRefused) {
  const auto server = serve();
  for (const std::string text :
       {"GARBAGE\r\n\r\n", "GET\r\n\r\n", "GET /v2 HTTP/3.0\r\n\r\n", "GET /v2 HTTP/1.1\r\nno colon\r\n\r\n",
        "POST /predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /predict HTTP/1.1\r\nContent-Length: 1x\r\n\r\n",
        "POST /predict HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n12",
        "POST /predict HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n"}) {
    http_client client(server->port());
    client.send(text);
    const auto answer = client.read();
    ASSERT_TRUE(answer) << text;
    EXPECT_EQ(answer->status, 400) << text;
    EXPECT_TRUE(answer->body.starts_with("{\"error\":")) << text;
    EXPECT_TRUE(client.at_end());
  }
}

TEST(ConnectionTest, ARequestThatIsCutOffIsTold) {
  const auto server = serve();
  http_client client(server->port());
  client.send("POST /predict HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc");
  client.send_no_more();
  EXPECT_EQ(client.read()->status, 400);
}

TEST(ConnectionTest, SlowRequestsAreGivenUp) {
  weft::server_options options;
  options.limits.header = 20ms;
  options.limits.body = 20ms;
  const auto server = serve(options);
  http_client headers(server->port());
  headers.send("GET /v2 HTTP/1.1\r\nX: ");
  EXPECT_EQ(headers.read()->status, 408);
  EXPECT_TRUE(headers.at_end());
  http_client body(server->port());
  body.send("POST /predict HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc");
  EXPECT_EQ(body.read()->status, 408);
}

TEST(ConnectionTest, SilentConnectionsAreGivenUp) {
  weft::server_options options;
  options.limits.idle = 20ms;
  const auto server = serve(options);
  http_client silent(server->port());
  EXPECT_FALSE(silent.read());
  wait_until([&] { return server->connections() == 0; });
}

TEST(ConnectionTest, ADripOfBytesDoesNotExtendTheTime) {
  weft::server_options options;
  options.limits.header = 50ms;
  options.limits.header_bytes = std::size_t{1} << 30;  // the time comes first
  const auto server = serve(options);
  http_client client(server->port());
  client.send("GET /v2 HTTP/1.1\r\nX: ");
  std::jthread drip([&](const std::stop_token& stop) {
    while (!stop.stop_requested() && client.send("x")) std::this_thread::yield();
  });
  EXPECT_EQ(client.read()->status, 408);
}

TEST(ConnectionTest, AClientThatReadsNothingIsGivenUp) {
  weft::server_options options;
  options.limits.body = 50ms;
  const auto server = serve(options);
  http_client client(server->port());
  std::jthread sender([&] {  // until the server gives up
    const std::string request = request_text("GET", "/metrics");
    while (client.send(request)) {
    }
  });
  wait_until([&] { return metric(*server, "weft_http_connections_accepted") == 1; });
  wait_until([&] { return server->connections() == 0; });
}

TEST(ConnectionTest, AClientThatLeavesTakesItsRequestAlong) {
  const auto server = serve();
  const held_doubler held;
  server->load(held.model());
  http_client first(server->port());
  first.send(request_text("POST", held_path, one_item));
  held.wait_until_called();
  // Behind the batch that is held: these wait in the queue.
  http_client closes(server->port());
  http_client resets(server->port());
  closes.send(request_text("POST", held_path, one_item));
  resets.send(request_text("POST", held_path, one_item));
  const std::string queued = R"(weft_batcher_queue_depth{model="held",version="1"})";
  wait_until([&] { return metric(*server, queued) == 2; });
  closes.close();
  resets.reset();
  wait_until([&] { return metric(*server, queued) == 0; });
  wait_until([&] { return server->connections() == 1; });
  EXPECT_EQ(metric(*server, "weft_http_requests_left"), 2);
  held.open();
  EXPECT_EQ(first.read()->status, 200);
  EXPECT_EQ(metric(*server, R"(nv_inference_count{model="held",version="1"})"), 1);
}

TEST(ConnectionTest, AClientThatOnlySendsNoMoreGetsItsAnswers) {
  const auto server = serve();
  const held_doubler held;
  server->load(held.model());
  http_client client(server->port());
  client.send(request_text("POST", held_path, one_item) + request_text("POST", infer_path, one_item));
  client.send_no_more();
  held.wait_until_called();
  EXPECT_EQ(client.read(true)->status, 100);  // the server has noticed, and asked whether anybody is there
  held.open();
  EXPECT_EQ(client.read()->status, 200);
  EXPECT_EQ(client.read()->status, 200);
  EXPECT_TRUE(client.at_end());
}

TEST(ConnectionTest, StormsOfDisconnectsLeaveNothing) {
  const auto server = serve({.threads = 2});
  std::mt19937 random(7);
  const std::string request = request_text("POST", infer_path, one_item);
  for (int i = 0; i < 300; ++i) {
    http_client client(server->port());
    client.send(request.substr(0, random() % (request.size() + 1)));
    if (random() % 2 == 0) {
      client.reset();
    } else {
      client.close();
    }
  }
  wait_until([&] { return server->connections() == 0; });
  EXPECT_EQ(metric(*server, "weft_http_requests_in_flight"), 0);
  EXPECT_EQ(http_client(server->port()).post(infer_path, one_item).status, 200);
}

// Requests that are damaged at random: every one is answered or its connection closed, and the server goes
// on.
TEST(ConnectionTest, DamagedRequestsHurtNobody) {
  const auto server = serve();
  const std::string binary_json =
      R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]})";
  const std::vector<std::string> seeds{
      request_text("POST", infer_path, one_item),
      request_text("POST", "/predict", R"({"input":[1,2]})"),
      request_text("GET", "/v2/models/double/versions/1/config"),
      request_text("POST", infer_path, binary_json + "12345678",
                   "Inference-Header-Content-Length: " + std::to_string(binary_json.size()) + "\r\n"),
      request_text("POST", infer_path, deflated(one_item, 31), "Content-Encoding: gzip\r\n"),
      "POST /predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{\"input\":[1,2]}\r\n0\r\n\r\n"};
  std::mt19937 random(20261121);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  int answered = 0;
  for (int i = 0; i < 2000; ++i) {
    std::string text = seeds[below(seeds.size())];
    for (std::size_t damage = 1 + below(4); damage != 0 && !text.empty(); --damage) {
      const std::size_t at = below(text.size());
      switch (below(5)) {
        case 0:
          text[at] = static_cast<char>(random());
          break;
        case 1:
          text.erase(at, 1 + below(8));
          break;
        case 2:
          text.insert(at, text.substr(below(text.size()), below(20)));
          break;
        case 3:
          text.insert(at, 1 + below(40), "[{\"-9,\r\n"[below(8)]);
          break;
        default:
          text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
      }
    }
    http_client client(server->port());
    client.send(text);
    client.send_no_more();
    while (const auto answer = client.read()) {
      ++answered;
      EXPECT_TRUE(answer->status == 200 || answer->body.starts_with("{\"error\":")) << text;
      EXPECT_NE(answer->status, 500) << text << answer->body;
    }
  }
  EXPECT_GT(answered, 1000);
  EXPECT_EQ(http_client(server->port()).post(infer_path, one_item).status, 200);
}

}  // namespace connection_test
