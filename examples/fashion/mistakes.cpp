#include "mistakes.hpp"

#include <algorithm>  // for std::max_element, std::sort
#include <cmath>      // for std::exp
#include <map>        // for std::map
#include <utility>    // for std::pair, std::move

namespace fashion {
namespace {

constexpr int most_per_pair = 6;

/// The softmax of the largest logit.
double highest_probability(weft::tensor_view<const float, 1> logits) {
  const float highest = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit) - static_cast<double>(highest));
  return 1.0 / sum;
}

}  // namespace

std::vector<mistake> find_mistakes(const weft::cpu_context& context, const weft::neural_net& network,
                                   const dataset& data, const weft::evaluation& result) {
  std::vector<std::int64_t> wrong;
  for (std::int64_t i = 0; i < data.test.count; ++i) {
    if (result.predictions(i) != data.test.labels[static_cast<std::size_t>(i)]) wrong.push_back(i);
  }
  const weft::image_batch batch = weft::collate(data.test, wrong, data.scale);
  weft::neural_net::workspace space;
  const auto logits = network.forward(context, batch.images.view(), space);
  std::vector<mistake> all;
  for (std::int64_t row = 0; row < batch.size(); ++row) {
    const std::int64_t index = wrong[static_cast<std::size_t>(row)];
    all.push_back({.index = index,
                   .label = batch.labels(row),
                   .predicted = result.predictions(index),
                   .confidence = highest_probability(logits[row]),
                   .pixels = {}});
  }
  std::sort(all.begin(), all.end(), [](const mistake& left, const mistake& right) {
    return std::pair(-left.confidence, left.index) < std::pair(-right.confidence, right.index);
  });
  std::map<std::pair<int, int>, int> seen;
  std::vector<mistake> kept;
  for (mistake& each : all) {
    if (++seen[{each.label, each.predicted}] > most_per_pair) continue;
    const auto pixels = data.test.image(each.index);
    each.pixels.assign(pixels.begin(), pixels.end());
    kept.push_back(std::move(each));
  }
  return kept;
}

}  // namespace fashion
