#include <serve/http_client.hpp>
#include <serve/served_models.hpp>
#include <weft/core/error.hpp>
#include <weft/serve/server.hpp>

#include <gtest/gtest.h>

#include <bit>
#include <cstring>

namespace routes_test {

using weft_test::doubler;
using weft_test::echo;
using weft_test::http_answer;
using weft_test::http_client;
using weft_test::tensors;

constexpr const char* infer_path = "/v2/models/double/infer";
constexpr const char* one_item =
    R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2.5]}]})";

std::string bytes_of(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

// A server with the doubler, and a connection to it.
class RoutesTest : public testing::Test {
 protected:
  RoutesTest() { server_.load(doubler()); }

  // What is answered to inputs that are JSON.
  http_answer infer(const std::string& inputs, const std::string& more = "") {
    return client_.post(infer_path, R"({"inputs":[)" + inputs + "]" + more + "}");
  }
  // An error has that status and its text names that.
  void expect_error(const http_answer& answer, int status, const std::string& part) {
    EXPECT_EQ(answer.status, status) << answer.body;
    EXPECT_TRUE(answer.body.starts_with("{\"error\":\"")) << answer.body;
    EXPECT_NE(answer.body.find(part), std::string::npos) << answer.body << " should name " << part;
  }

  weft::inference_server server_{{.port = 0}};
  http_client client_{server_.port()};
};

TEST_F(RoutesTest, TheServerTellsWhatItIs) {
  const http_answer answer = client_.get("/v2");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.at("content-type"), "application/json");
  EXPECT_NE(answer.body.find(R"("name":"weft")"), std::string::npos);
  EXPECT_NE(answer.body.find("binary_tensor_data"), std::string::npos);
}

TEST_F(RoutesTest, HealthIsLiveAndReadyWithAModel) {
  EXPECT_EQ(client_.get("/v2/health/live").body, R"({"live":true})");
  EXPECT_EQ(client_.get("/v2/health/ready").body, R"({"ready":true})");
  EXPECT_EQ(client_.get("/v2/models/double/ready").body, R"({"name":"double","ready":true})");
  server_.unload("double");
  const http_answer answer = client_.get("/v2/health/ready");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.body, R"({"ready":false})");
}

TEST_F(RoutesTest, AModelTellsItsInputsAndOutputs) {
  const std::string metadata = client_.get("/v2/models/double").body;
  EXPECT_EQ(metadata,
            R"({"name":"double","versions":["1"],"platform":"weft","inputs":[{"name":"x","datatype":"FP32",)"
            R"("shape":[-1,2]}],"outputs":[{"name":"y","datatype":"FP32","shape":[-1,2]}]})");
  EXPECT_EQ(client_.get("/v2/models/double/versions/1").body, metadata);
  const std::string config = client_.get("/v2/models/double/config").body;
  EXPECT_NE(config.find(R"("max_batch_size":8)"), std::string::npos);
  EXPECT_NE(config.find(R"({"name":"x","data_type":"TYPE_FP32","dims":[2]})"), std::string::npos);
  EXPECT_NE(config.find(R"("decoupled":false)"), std::string::npos);
}

TEST_F(RoutesTest, StatisticsCountRequestsItemsAndCalls) {
  EXPECT_EQ(infer(R"({"name":"x","shape":[3,2],"datatype":"FP32","data":[1,2,3,4,5,6]})").status, 200);
  const std::string stats = client_.get("/v2/models/double/stats").body;
  EXPECT_NE(stats.find(R"("inference_count":3,"execution_count":1)"), std::string::npos) << stats;
  for (const char* key :
       {"success", "queue", "compute_input", "compute_infer", "compute_output", "cache_hit", "cache_miss"}) {
    EXPECT_NE(stats.find("\"" + std::string(key) + R"(":{"count":)"), std::string::npos) << key;
  }
  EXPECT_EQ(client_.get("/v2/models/stats").status, 200);
}

TEST_F(RoutesTest, JsonIsInferredFlatAndNested) {
  const std::string expected =
      R"({"model_name":"double","model_version":"1","id":"a\"b","outputs":[{"name":"y","datatype":"FP32",)"
      R"("shape":[2,2],"data":[2,4,6,8.5]}]})";
  EXPECT_EQ(
      infer(R"({"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3,4.25]})", R"(,"id":"a\"b")").body,
      expected);
  EXPECT_EQ(
      infer(R"({"data":[[1,2],[3,4.25]],"name":"x","shape":[2,2],"datatype":"FP32"})", R"(,"id":"a\"b")")
          .body,
      expected);
}

TEST_F(RoutesTest, BinaryTensorsGoBothWays) {
  const std::string json =
      R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}],)"
      R"("parameters":{"binary_data_output":true}})";
  const std::string length = "Inference-Header-Content-Length: " + std::to_string(json.size()) + "\r\n";
  const http_answer answer = client_.post(infer_path, json + bytes_of({1.5F, -3}), length);
  ASSERT_EQ(answer.status, 200) << answer.body;
  EXPECT_EQ(answer.headers.at("content-type"), "application/octet-stream");
  const std::size_t head = std::stoul(answer.headers.at("inference-header-content-length"));
  EXPECT_NE(answer.body.substr(0, head).find(R"("binary_data_size":8)"), std::string::npos);
  EXPECT_EQ(answer.body.substr(head), bytes_of({3, -6}));
}

TEST_F(RoutesTest, ARawRequestIsOneItem) {
  const http_answer answer =
      client_.post(infer_path, bytes_of({4, 5}), "Inference-Header-Content-Length: 0\r\n");
  ASSERT_EQ(answer.status, 200) << answer.body;
  const std::size_t head = std::stoul(answer.headers.at("inference-header-content-length"));
  EXPECT_EQ(answer.body.substr(head), bytes_of({8, 10}));
}

TEST_F(RoutesTest, AnOutputMayAskForItsOwnForm) {
  const std::string input = R"({"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]})";
  const http_answer answer = infer(
      input,
      R"(,"parameters":{"binary_data_output":true},"outputs":[{"name":"y","parameters":{"binary_data":false}}])");
  EXPECT_NE(answer.body.find(R"("data":[2,4])"), std::string::npos) << answer.body;
}

TEST_F(RoutesTest, EveryTypeComesBackAsItWent) {
  const std::vector<std::pair<weft::wire_type, std::string>> cases{
      {weft::wire_type::boolean, "[true,false]"},
      {weft::wire_type::uint8, "[0,255]"},
      {weft::wire_type::uint16, "[0,65535]"},
      {weft::wire_type::uint32, "[0,4294967295]"},
      {weft::wire_type::uint64, "[0,18446744073709551615]"},
      {weft::wire_type::int8, "[-128,127]"},
      {weft::wire_type::int16, "[-32768,32767]"},
      {weft::wire_type::int32, "[-2147483648,2147483647]"},
      {weft::wire_type::int64, "[-9223372036854775808,9223372036854775807]"},
      {weft::wire_type::float16, "[0.5,-65504]"},
      {weft::wire_type::bfloat16, "[0.5,-3]"},
      {weft::wire_type::float32, "[0.1,-1.5]"},
      {weft::wire_type::float64, "[0.1,-1.5]"},
      {weft::wire_type::bytes, R"(["","a\"\u00e9"])"}};
  for (const auto& [type, data] : cases) {
    server_.load(echo(type));
    const std::string name(to_string(type));
    const http_answer answer =
        client_.post("/v2/models/echo/infer", R"({"inputs":[{"name":"in","shape":[1,2],"datatype":")" + name +
                                                  R"(","data":)" + data + "}]}");
    EXPECT_EQ(answer.status, 200) << answer.body;
    const std::string wanted = type == weft::wire_type::bytes ? "[\"\",\"a\\\"\xc3\xa9\"]" : data;
    EXPECT_NE(answer.body.find("\"data\":" + wanted), std::string::npos) << name << ": " << answer.body;
  }
}

TEST_F(RoutesTest, ElementsThatDoNotFitTheirTypeAreErrors) {
  const std::vector<std::pair<weft::wire_type, std::string>> cases{
      {weft::wire_type::boolean, "1"},     {weft::wire_type::uint8, "256"},
      {weft::wire_type::uint16, "-1"},     {weft::wire_type::int8, "128"},
      {weft::wire_type::int32, "1.5"},     {weft::wire_type::int64, "1e30"},
      {weft::wire_type::float16, "65520"}, {weft::wire_type::float32, "1e39"},
      {weft::wire_type::float64, "\"1\""}, {weft::wire_type::uint64, "null"},
      {weft::wire_type::bytes, "7"}};
  for (const auto& [type, element] : cases) {
    server_.load(echo(type));
    const std::string name(to_string(type));
    expect_error(
        client_.post("/v2/models/echo/infer", R"({"inputs":[{"name":"in","shape":[1,1],"datatype":")" + name +
                                                  R"(","data":[)" + element + "]}]}"),
        400, "inputs[0].data: element 0 is no " + name);
  }
}

TEST_F(RoutesTest, SeveralInputsAndOutputs) {
  server_.load({.name = "sums",
                .inputs = {{"a", weft::wire_type::int32, {}}, {"b", weft::wire_type::int64, {}}},
                .outputs = {{"sum", weft::wire_type::int64, {}}, {"difference", weft::wire_type::int64, {}}},
                .compute = [](const tensors& inputs) {
                  std::vector<std::int64_t> sums;
                  std::vector<std::int64_t> differences;
                  for (std::size_t i = 0; i < inputs[0].values<std::int32_t>().size(); ++i) {
                    const std::int64_t a = inputs[0].values<std::int32_t>()[i];
                    const std::int64_t b = inputs[1].values<std::int64_t>()[i];
                    sums.push_back(a + b);
                    differences.push_back(a - b);
                  }
                  const auto& shape = inputs[0].shape();
                  return tensors{weft::inference_tensor("sum", shape, sums),
                                 weft::inference_tensor("difference", shape, differences)};
                }});
  const std::string inputs = R"({"inputs":[{"name":"b","shape":[2],"datatype":"INT64","data":[10,20]},)"
                             R"({"name":"a","shape":[2],"datatype":"INT32","data":[1,2]}])";
  EXPECT_NE(client_.post("/v2/models/sums/infer", inputs + "}")
                .body.find(R"("outputs":[{"name":"sum","datatype":"INT64","shape":[2],"data":[11,22]},)"
                           R"({"name":"difference","datatype":"INT64","shape":[2],"data":[-9,-18]}])"),
            std::string::npos);
  EXPECT_NE(client_.post("/v2/models/sums/infer", inputs + R"(,"outputs":[{"name":"difference"}]})")
                .body.find(R"("outputs":[{"name":"difference",)"),
            std::string::npos);
  expect_error(client_.post("/v2/models/sums/infer",
                            R"({"inputs":[{"name":"b","shape":[2],"datatype":"INT64","data":[10,20]},)"
                            R"({"name":"a","shape":[1],"datatype":"INT32","data":[1]}]})"),
               400, "'a' has 1 items and 'b' has 2");
}

TEST_F(RoutesTest, WrongRequestsNameTheField) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", "the body is not JSON"},
      {"{\"inputs\":", "the body is not JSON"},
      {"[1]", "not a JSON object"},
      {"{}", "inputs: is missing"},
      {R"({"inputs":1})", "inputs: must be an array"},
      {R"({"inputs":[]})", "inputs: 'x' is missing"},
      {R"({"inputs":[7]})", "inputs[0]: must be an object"},
      {R"({"inputs":[{"shape":[1,2],"datatype":"FP32","data":[1,2]}]})", "inputs[0].name: is missing"},
      {R"({"inputs":[{"name":"z","shape":[1,2],"datatype":"FP32","data":[1,2]}]})",
       "inputs[0].name: the model has none"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP99","data":[1,2]}]})",
       "inputs[0].datatype: there is no"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"INT8","data":[1,2]}]})",
       "inputs[0].datatype: INT8, the model"},
      {R"({"inputs":[{"name":"x","shape":[2],"datatype":"FP32","data":[1,2]}]})",
       "inputs[0].shape: [2] does not fit"},
      {R"({"inputs":[{"name":"x","shape":[1,3],"datatype":"FP32","data":[1,2,3]}]})",
       "inputs[0].shape: [1, 3] does"},
      {R"({"inputs":[{"name":"x","shape":[-1,2],"datatype":"FP32","data":[1,2]}]})",
       "inputs[0].shape: [-1, 2] has"},
      {R"({"inputs":[{"name":"x","shape":[9,2],"datatype":"FP32","data":[1,2]}]})", "max_batch_size of 8"},
      {R"({"inputs":[{"name":"x","shape":["1",2],"datatype":"FP32","data":[1,2]}]})",
       "inputs[0].shape: must have whole"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32"}]})", "inputs[0].data: is missing"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1]}]})",
       "inputs[0].data: has 1 elements"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2,3]}]})",
       "inputs[0].data: has more than"},
      {R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2,3],[4]]}]})",
       "inputs[0].data: an array at"},
      {R"({"inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[[1,2],3]}]})",
       "inputs[0].data: is nested in part"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[[[1,2]]]}]})",
       "inputs[0].data: element 0 is no"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":7}]})",
       "inputs[0].data: must be an array"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]})",
       "inputs[0].parameters.binary_data_size: 8 bytes, of which the body has 0"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}],"outputs":[{"name":"q"}]})",
       "outputs[0].name: the model has none"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}],"parameters":{"priority":5}})",
       "parameters.priority: 5, the model has 1"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}],"parameters":{"timeout":-5}})",
       "parameters.timeout: must be"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}],"parameters":{"sequence_id":3}})",
       "parameters.sequence_id: sequences are not"},
      {R"({"id":4,"inputs":[]})", "id: must be a string"},
      {R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]},{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2]}]})",
       "inputs[1].name: there are two"},
  };
  for (const auto& [body, part] : cases) expect_error(client_.post(infer_path, body), 400, part);
  EXPECT_EQ(client_.post(infer_path, one_item).status, 200);
}

TEST_F(RoutesTest, WrongBinaryRequestsNameTheField) {
  const auto ask = [&](const std::string& json, const std::string& data, const std::string& length) {
    return client_.post(infer_path, json + data, "Inference-Header-Content-Length: " + length + "\r\n");
  };
  const std::string json =
      R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","parameters":{"binary_data_size":8}}]})";
  const std::string length = std::to_string(json.size());
  expect_error(ask(json, "1234567", length), 400, "binary_data_size: 8 bytes, of which the body has 7");
  expect_error(ask(json, "123456789", length), 400, "has 1 bytes behind the last tensor");
  expect_error(ask(json, "12345678", "100000"), 400, "Inference-Header-Content-Length: 100000, the body");
  expect_error(ask(json, "12345678", "x"), 400, "Inference-Header-Content-Length: 'x' is no size");
  expect_error(ask(json, "12345678", "-1"), 400, "Inference-Header-Content-Length: '-1' is no size");
  expect_error(ask("", "123", "0"), 400, "8");  // a raw request of the wrong size
}

TEST_F(RoutesTest, TextsOfBinaryTensorsAreChecked) {
  server_.load(echo(weft::wire_type::bytes));
  const auto ask = [&](const std::string& data) {
    const std::string json =
        R"({"inputs":[{"name":"in","shape":[1,1],"datatype":"BYTES","parameters":{"binary_data_size":)" +
        std::to_string(data.size()) + "}}]}";
    return client_.post("/v2/models/echo/infer", json + data,
                        "Inference-Header-Content-Length: " + std::to_string(json.size()) + "\r\n");
  };
  using namespace std::string_literals;
  EXPECT_NE(ask("\2\0\0\0ab"s).body.find(R"("data":["ab"])"), std::string::npos);
  expect_error(ask("\3\0\0\0ab"s), 400, "cut off");
  expect_error(ask("\xff\xff\xff\xff"s), 400, "cut off");
  expect_error(ask("\0\0"s), 400, "cut off");
  expect_error(ask("\0\0\0\0\0\0\0\0"s), 400, "has 2 texts");
}

TEST_F(RoutesTest, UnknownPathsMethodsAndTypesAreTold) {
  expect_error(client_.get("/nothing"), 404, "/nothing");
  expect_error(client_.get("/v2/models/other"), 404, "no model 'other'");
  expect_error(client_.get("/v2/models/double/versions/7"), 404, "no version '7'");
  expect_error(client_.get("/v2/models/double/other"), 404, "'other'");
  expect_error(client_.get("/v2/models/double/versions/1/ready/more"), 404, "more");
  expect_error(client_.post("/v2/models/other/infer", one_item), 404, "no model 'other'");
  expect_error(client_.get(infer_path), 405, "takes POST, not GET");
  EXPECT_EQ(client_.get(infer_path).headers.at("allow"), "POST");
  expect_error(client_.post("/v2/health/live", ""), 405, "takes GET, not POST");
  expect_error(client_.post(infer_path, one_item, "Content-Type: text/plain\r\n"), 415, "text/plain");
  expect_error(client_.post(infer_path, one_item, "Content-Encoding: br\r\n"), 415, "'br' is not supported");
  EXPECT_EQ(client_.post(infer_path, one_item, "Content-Type: application/json; charset=utf-8\r\n").status,
            200);
}

TEST_F(RoutesTest, PredictTakesOneItemOrSeveral) {
  EXPECT_EQ(client_.post("/predict", R"({"input":[1,2]})").body, R"({"output":[2,4]})");
  EXPECT_EQ(client_.post("/predict", R"({"input":[[1,2],[3,4]]})").body, R"({"output":[[2,4],[6,8]]})");
  expect_error(client_.post("/predict", R"({"input":[1,2,3]})"), 400, "input: [1, 3] does not fit");
  expect_error(client_.post("/predict", R"({"input":[]})"), 400, "input: has an empty array");
  expect_error(client_.post("/predict", R"({"inputs":[1]})"), 400, "input: is missing");
  expect_error(client_.post("/predict", R"({"input":["a","b"]})"), 400, "input: element 0 is no FP32");
  server_.load(echo(weft::wire_type::float32, {2, 2}));
  expect_error(client_.post("/predict", R"({"input":[1,2]})"), 404, "this has 2");
  server_.unload("double");
  EXPECT_EQ(client_.post("/predict", R"({"input":[1,2,3,4]})").body, R"({"output":[[1,2],[3,4]]})");
}

TEST_F(RoutesTest, NumbersThatJsonDoesNotKnowAreNull) {
  weft::served_model model = doubler("odd");
  model.compute = [](const tensors& inputs) {
    std::vector<float> values(inputs[0].values<float>().size(), std::numeric_limits<float>::quiet_NaN());
    return tensors{weft::inference_tensor("y", inputs[0].shape(), std::move(values))};
  };
  server_.load(std::move(model));
  EXPECT_NE(client_.post("/v2/models/odd/infer", one_item).body.find("[null,null]"), std::string::npos);
}

TEST_F(RoutesTest, AModelThatThrowsIsAnErrorOfItsBatch) {
  weft::served_model model = doubler("bad");
  model.warm_up = false;
  model.compute = [](const tensors& inputs) -> tensors {
    if (inputs[0].values<float>()[0] == 1) throw std::runtime_error("out of \"cheese\"");
    if (inputs[0].values<float>()[0] == 2) throw weft::invalid_argument("no cheese, please");
    if (inputs[0].values<float>()[0] == 3) return {};
    throw 7;
  };
  server_.load(std::move(model));
  const auto ask = [&](const std::string& first) {
    return client_.post(
        "/v2/models/bad/infer",
        R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[)" + first + ",0]}]}");
  };
  expect_error(ask("1"), 500, R"(out of \"cheese\")");
  expect_error(ask("2"), 400, "no cheese");
  expect_error(ask("3"), 500, "returned 0 outputs, it must return 1");
  expect_error(ask("4"), 500, "no std::exception");
  EXPECT_EQ(client_.post(infer_path, one_item).status, 200);
  EXPECT_NE(client_.get("/metrics")
                .body.find(R"(nv_inference_request_failure{model="bad",version="1",reason="BACKEND"} 4)"),
            std::string::npos);
}

TEST_F(RoutesTest, MetricsHaveTritonsNamesAndOurs) {
  client_.post(infer_path, one_item);
  client_.post(infer_path, "{}");
  const http_answer answer = client_.get("/metrics");
  EXPECT_TRUE(answer.headers.at("content-type").starts_with("text/plain"));
  for (const char* line : {R"(nv_inference_request_success{model="double",version="1"} 1)",
                           R"(nv_inference_count{model="double",version="1"} 1)",
                           R"(nv_inference_exec_count{model="double",version="1"} 1)",
                           R"(nv_inference_request_failure{model="double",version="1",reason="OTHER"} 1)",
                           R"(nv_inference_pending_request_count{model="double",version="1"} 0)",
                           R"(weft_batcher_queue_depth{model="double",version="1"} 0)",
                           R"(weft_batcher_batch_size_bucket{model="double",version="1",le="1"} 1)",
                           R"(weft_batcher_batch_size_count{model="double",version="1"} 1)",
                           R"(weft_batcher_batches_released{model="double",version="1",reason="delay"} 1)",
                           "weft_http_connections 1", R"(weft_http_responses{status="400"} 1)"}) {
    EXPECT_NE(answer.body.find(std::string(line) + "\n"), std::string::npos) << line << "\n" << answer.body;
  }
  EXPECT_EQ(server_.metrics_text().substr(0, 200), client_.get("/metrics").body.substr(0, 200));
}

TEST(InferenceTensorTest, KnowsItsElements) {
  const weft::inference_tensor texts("t", {2}, std::vector<std::string>{"", "abc"});
  EXPECT_EQ(texts.texts(), (std::vector<std::string_view>{"", "abc"}));
  EXPECT_THROW(static_cast<void>(texts.values<float>()), weft::invalid_argument);
  EXPECT_THROW(weft::inference_tensor("t", {3}, std::vector<float>{1, 2}), weft::shape_error);
  for (int i = 0; i <= static_cast<int>(weft::wire_type::bytes); ++i) {
    const auto type = static_cast<weft::wire_type>(i);
    EXPECT_EQ(weft::wire_type_from(to_string(type)), type);
  }
}

}  // namespace routes_test
