#pragma once

#include <weft/serve/served_model.hpp>
#include <weft/serve/server.hpp>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace weft_test {

using tensors = std::vector<weft::inference_tensor>;

/// Where the doubler and the held one are asked, and what for.
inline constexpr const char* infer_path = "/v2/models/double/infer";
inline constexpr const char* held_path = "/v2/models/held/infer";
inline constexpr const char* one_item =
    R"({"inputs":[{"name":"x","shape":[1,2],"datatype":"FP32","data":[1,2.5]}]})";

/// The value of a metric, with its labels; -1 if there is none.
inline double metric(const weft::inference_server& server, const std::string& name) {
  const std::string text = server.metrics_text();
  const std::size_t line = text.find("\n" + name + " ");
  return line == std::string::npos ? -1 : std::stod(text.substr(line + name.size() + 2));
}

/// y = 2 x, [2] to [2].
inline weft::served_model doubler(std::string name = "double", float factor = 2) {
  return {.name = std::move(name),
          .inputs = {{"x", weft::wire_type::float32, {2}}},
          .outputs = {{"y", weft::wire_type::float32, {2}}},
          .compute =
              [factor](const tensors& inputs) {
                std::vector<float> values;
                for (const float each : inputs[0].values<float>()) values.push_back(factor * each);
                return tensors{weft::inference_tensor("y", inputs[0].shape(), std::move(values))};
              },
          .batching = {.max_batch_size = 8}};
}

/// Returns what it is given, of that type.
inline weft::served_model echo(weft::wire_type type, std::vector<std::int64_t> shape = {-1},
                               std::string name = "echo") {
  return {.name = std::move(name),
          .inputs = {{"in", type, shape}},
          .outputs = {{"out", type, shape}},
          .compute = [](const tensors& inputs) { return inputs; }};
}

/// The doubler, held until the test opens it.
class held_doubler {
 public:
  weft::served_model model(std::string name = "held") const {
    weft::served_model made = doubler(std::move(name));
    made.warm_up = false;
    made.compute = [state = state_, compute = made.compute](const tensors& inputs) {
      std::unique_lock lock(state->mutex);
      ++state->called;
      state->changed.notify_all();
      state->changed.wait(lock, [&] { return state->open; });
      lock.unlock();
      return compute(inputs);
    };
    return made;
  }
  void open() const {
    const std::lock_guard lock(state_->mutex);
    state_->open = true;
    state_->changed.notify_all();
  }
  void wait_until_called(int times = 1) const {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return state_->called >= times; });
  }
  ~held_doubler() { open(); }

 private:
  struct state {
    std::mutex mutex;
    std::condition_variable changed;
    int called = 0;
    bool open = false;
  };
  std::shared_ptr<state> state_ = std::make_shared<state>();
};

}  // namespace weft_test
