#include <train/staged.hpp>
#include <weft/compute/detail/array.hpp>
#include <weft/compute/kernels/softmax_cross_entropy.hpp>
#include <weft/train/evaluation.hpp>

#include <algorithm>  // for std::min, std::max_element
#include <utility>    // for std::move

namespace weft {
namespace {

// Samples in one forward pass: enough to fill every core, little enough to stay in cache.
constexpr std::int64_t samples_per_part = 512;

void classify(tensor_view<const float, 2> logits, tensor_view<std::int32_t, 1> predictions) {
  for (std::int64_t row = 0; row < logits.extent(0); ++row) {
    const tensor_view<const float, 1> scores = logits[row];
    predictions(row) =
        static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  }
}

// An evaluation that is given the logits part by part.
class tally {
 public:
  tally(const neural_net& network, tensor_view<const float, 2> samples,
        tensor_view<const std::int32_t, 1> labels)
      : labels_(labels), losses_(shape<1>{samples.extent(0)}) {
    const std::int64_t count = samples.extent(0);
    require_same_shape("evaluate", "samples", samples.extents(), "what the network takes",
                       shape<2>{count, network.inputs()});
    require_same_shape("evaluate", "labels", labels.extents(), "one label per sample", shape<1>{count});
    result_ = {.predictions = tensor<std::int32_t, 1>(shape<1>{count}),
               .confusion = tensor<std::int64_t, 2>(shape<2>{network.classes(), network.classes()})};
  }

  void add(const cpu_context& context, std::int64_t begin, tensor_view<const float, 2> logits) {
    const std::int64_t end = begin + logits.extent(0);
    softmax_cross_entropy{}(context, logits, labels_.slice(begin, end), losses_.slice(begin, end));
    classify(logits, result_.predictions.slice(begin, end));
  }

  evaluation finish() {
    const std::int64_t count = labels_.size();
    for (std::int64_t row = 0; row < count; ++row) {
      ++result_.confusion(labels_(row), result_.predictions(row));
      if (labels_(row) == result_.predictions(row)) ++result_.correct;
      result_.loss += static_cast<double>(losses_(row));
    }
    if (count > 0) {
      result_.accuracy = static_cast<double>(result_.correct) / static_cast<double>(count);
      result_.loss /= static_cast<double>(count);
    }
    return std::move(result_);
  }

 private:
  tensor_view<const std::int32_t, 1> labels_;
  tensor<float, 1> losses_;
  evaluation result_;
};

// The forward pass as a kernel.
struct forward_pass {
  const neural_net* network;
  neural_net::workspace* space;

  template <detail::any_context Context>
  tensor_view<const float, 2> operator()(const Context& context, tensor_view<const float, 2> samples) const {
    return network->forward(context, samples, *space);
  }
};

// Calls use(first sample, logits) for the parts in order.
template <class Use>
void for_each_part(const cpu_context& context, const neural_net& network, tensor_view<const float, 2> samples,
                   const Use& use) {
  neural_net::workspace space;
  const std::int64_t count = samples.extent(0);
  for (std::int64_t begin = 0; begin < count; begin += samples_per_part) {
    use(begin,
        network.forward(context, samples.slice(begin, std::min(count, begin + samples_per_part)), space));
  }
}

}  // namespace

tensor<std::int32_t, 1> predict(const cpu_context& context, const neural_net& network,
                                tensor_view<const float, 2> samples) {
  require_same_shape("predict", "samples", samples.extents(), "what the network takes",
                     shape<2>{samples.extent(0), network.inputs()});
  tensor<std::int32_t, 1> predictions(shape<1>{samples.extent(0)});
  for_each_part(context, network, samples, [&](std::int64_t begin, tensor_view<const float, 2> logits) {
    classify(logits, predictions.slice(begin, begin + logits.extent(0)));
  });
  return predictions;
}

evaluation evaluate(const cpu_context& context, const neural_net& network,
                    tensor_view<const float, 2> samples, tensor_view<const std::int32_t, 1> labels) {
  tally result(network, samples, labels);
  for_each_part(context, network, samples, [&](std::int64_t begin, tensor_view<const float, 2> logits) {
    result.add(context, begin, logits);
  });
  return result.finish();
}

task<evaluation> evaluate(executor_base& executor, const neural_net& network,
                          tensor_view<const float, 2> samples, tensor_view<const std::int32_t, 1> labels) {
  tally result(network, samples, labels);
  const cpu_context here;
  neural_net::workspace space;
  const forward_pass pass{&network, &space};
  detail::staged<float, 2> staged;
  const std::int64_t count = samples.extent(0);
  for (std::int64_t begin = 0; begin < count; begin += samples_per_part) {
    const auto part = samples.slice(begin, std::min(count, begin + samples_per_part));
    const tensor_view<const float, 2> x = co_await staged.bring(executor, part);
    const tensor_view<const float, 2> y = co_await executor.run(pass, x);
    const tensor<float, 2> logits = co_await to_host(executor, y);
    result.add(here, begin, logits);
  }
  co_return result.finish();
}

}  // namespace weft
