#include <weft/compute/kernels/softmax_cross_entropy.hpp>
#include <weft/train/evaluation.hpp>

#include <algorithm>  // for std::min, std::max_element

namespace weft {
namespace {

// Samples in one forward pass: enough to fill every core, little enough to stay in cache.
constexpr std::int64_t samples_per_part = 512;

// Calls use(first sample, logits) for the parts in order.
template <class Use>
void for_each_part(const cpu_context& context, const mlp& network, tensor_view<const float, 2> samples,
                   const Use& use) {
  mlp::workspace space;
  const std::int64_t count = samples.extent(0);
  for (std::int64_t begin = 0; begin < count; begin += samples_per_part) {
    use(begin,
        network.forward(context, samples.slice(begin, std::min(count, begin + samples_per_part)), space));
  }
}

void classify(tensor_view<const float, 2> logits, tensor_view<std::int32_t, 1> predictions) {
  for (std::int64_t row = 0; row < logits.extent(0); ++row) {
    const tensor_view<const float, 1> scores = logits[row];
    predictions(row) =
        static_cast<std::int32_t>(std::max_element(scores.begin(), scores.end()) - scores.begin());
  }
}

}  // namespace

tensor<std::int32_t, 1> predict(const cpu_context& context, const mlp& network,
                                tensor_view<const float, 2> samples) {
  require_same_shape("predict", "samples", samples.extents(), "what the network takes",
                     shape<2>{samples.extent(0), network.inputs()});
  tensor<std::int32_t, 1> predictions(shape<1>{samples.extent(0)});
  for_each_part(context, network, samples, [&](std::int64_t begin, tensor_view<const float, 2> logits) {
    classify(logits, predictions.slice(begin, begin + logits.extent(0)));
  });
  return predictions;
}

evaluation evaluate(const cpu_context& context, const mlp& network, tensor_view<const float, 2> samples,
                    tensor_view<const std::int32_t, 1> labels) {
  const std::int64_t count = samples.extent(0);
  const std::int64_t classes = network.classes();
  require_same_shape("evaluate", "samples", samples.extents(), "what the network takes",
                     shape<2>{count, network.inputs()});
  require_same_shape("evaluate", "labels", labels.extents(), "one label per sample", shape<1>{count});
  evaluation result{.predictions = tensor<std::int32_t, 1>(shape<1>{count}),
                    .confusion = tensor<std::int64_t, 2>(shape<2>{classes, classes})};
  tensor<float, 1> losses(shape<1>{count});
  for_each_part(context, network, samples, [&](std::int64_t begin, tensor_view<const float, 2> logits) {
    const std::int64_t end = begin + logits.extent(0);
    softmax_cross_entropy{}(context, logits, labels.slice(begin, end), losses.slice(begin, end));
    classify(logits, result.predictions.slice(begin, end));
  });
  for (std::int64_t row = 0; row < count; ++row) {
    ++result.confusion(labels(row), result.predictions(row));
    if (labels(row) == result.predictions(row)) ++result.correct;
    result.loss += static_cast<double>(losses(row));
  }
  if (count > 0) {
    result.accuracy = static_cast<double>(result.correct) / static_cast<double>(count);
    result.loss /= static_cast<double>(count);
  }
  return result;
}

}  // namespace weft
