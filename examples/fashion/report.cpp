#include "report.hpp"

#include <fmt/core.h>

#include <algorithm>    // for std::max, std::min
#include <array>        // for std::array
#include <cmath>        // for std::isnan
#include <csignal>      // for SIGINT
#include <cstddef>      // for std::size_t
#include <span>         // for std::span
#include <string_view>  // for std::string_view
#include <utility>      // for std::pair
#include <vector>       // for std::vector

#include "dataset.hpp"
#include "experiments.hpp"
#include "json_writer.hpp"
#include "machine.hpp"
#include "report_parts.hpp"

namespace fashion {
namespace {

using facts = std::vector<std::pair<std::string, std::string>>;

constexpr std::size_t most_losses = 20'000;

std::string base64(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = (group << 8) | (j < left ? bytes[i + j] : 0U);
    for (std::size_t j = 0; j < 4; ++j) {
      text += j <= left ? letters[(group >> (18 - 6 * j)) & 0x3f] : '=';
    }
  }
  return text;
}

std::string escape_html(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += letter;
    }
  }
  return escaped;
}

/// Replaces each {{name}} of the page; what is put in is not looked at again.
std::string fill(std::string_view page,
                 std::span<const std::pair<std::string_view, std::string_view>> parts) {
  std::string filled;
  for (;;) {
    const std::size_t open = page.find("{{");
    filled += page.substr(0, open);
    if (open == std::string_view::npos) return filled;
    const std::size_t close = page.find("}}", open);
    const std::string_view name = page.substr(open + 2, close - open - 2);
    for (const auto& [part, text] : parts) {
      if (part == name) filled += text;
    }
    page.remove_prefix(close + 2);
  }
}

std::string percent(double share, int digits) {
  return std::isnan(share) ? "–" : fmt::format("{:.{}f} %", 100.0 * share, digits);
}

std::string thousands(double number) {
  const std::string digits = fmt::format("{:.0f}", number);
  std::string grouped;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i != 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

std::string duration(double seconds) {
  return fmt::format("{:.{}f} s", seconds, seconds < 10.0 ? 2 : 1);
}

std::string signal_name(int number) {
  return number == SIGINT ? "Ctrl-C" : "SIGTERM";
}

double rate(const job_record& record) {
  return record.times.train > 0.0 ? static_cast<double>(record.samples) / record.times.train : 0.0;
}

double wait_share(const job_record& record) {
  return record.times.train > 0.0 ? record.times.wait / record.times.train : 0.0;
}

void write_tiles(json_writer& json, const job_record& record) {
  const auto tile = [&](const char* label, const std::string& value, const std::string& detail) {
    json.begin_object()
        .key("label")
        .value(label)
        .key("value")
        .value(value)
        .key("detail")
        .value(detail)
        .end_object();
  };
  json.key("tiles").begin_array();
  tile("test accuracy", percent(record.test_accuracy, 2),
       fmt::format("of {} images", thousands(static_cast<double>(record.test_count))));
  tile("test loss", std::isnan(record.test_loss) ? "–" : fmt::format("{:.4f}", record.test_loss),
       "cross entropy");
  tile("training speed", thousands(rate(record)), "images a second");
  tile("waited for data", percent(wait_share(record), 2), "of the training's time");
  if (!record.experiments.empty()) {
    const experiment_record& best = record.experiments[ranking(record.experiments).front()];
    tile("best experiment", percent(best.test_accuracy, 2),
         fmt::format("lr {}, batch {}, seed {}", best.learning_rate, best.batch_size, best.seed));
  }
  tile("whole job", duration(record.times.total),
       fmt::format("{} {}", record.threads, record.threads == 1 ? "thread" : "threads"));
  json.end_array();
}

void write_curves(json_writer& json, const job_record& record) {
  const std::size_t stride = std::max<std::size_t>(1, (record.losses.size() + most_losses - 1) / most_losses);
  json.key("stepsPerEpoch").value(record.steps_per_epoch);
  json.key("trainAccuracyCount").value(record.train_accuracy_count);
  json.key("lossStride").value(static_cast<std::int64_t>(stride));
  json.key("losses").begin_array();
  for (std::size_t i = stride; i <= record.losses.size(); i += stride) {
    double sum = 0.0;
    for (std::size_t j = i - stride; j < i; ++j) sum += record.losses[j];
    json.value(sum / static_cast<double>(stride), 4);
  }
  json.end_array();
  json.key("epochs").begin_array();
  for (const epoch_record& each : record.epochs) {
    json.begin_object();
    json.key("epoch").value(each.epoch);
    json.key("trainLoss").value(each.train_loss).key("trainAccuracy").value(each.train_accuracy);
    json.key("testLoss").value(each.test_loss).key("testAccuracy").value(each.test_accuracy);
    json.key("seconds").value(each.seconds).key("samplesPerSecond").value(each.samples_per_second);
    json.key("waitShare").value(each.wait_share);
    json.end_object();
  }
  json.end_array();
}

void write_experiments(json_writer& json, const job_record& record) {
  json.key("experiments").begin_array();
  for (const experiment_record& each : record.experiments) {
    json.begin_object();
    json.key("number").value(each.number).key("learningRate").value(each.learning_rate);
    json.key("batchSize").value(each.batch_size).key("seed").value(std::to_string(each.seed));
    json.key("state")
        .value(each.state)
        .key("accuracy")
        .value(each.test_accuracy)
        .key("loss")
        .value(each.test_loss);
    json.key("start").value(each.start).key("end").value(each.end).key("thread");
    if (each.thread < 0) {
      json.null();
    } else {
      json.value(each.thread);
    }
    json.end_object();
  }
  json.end_array();
}

void write_confusion(json_writer& json, const job_record& record) {
  json.key("classes").begin_array();
  for (const std::string_view name : class_names) json.value(name);
  json.end_array();
  json.key("confusion").begin_array();
  for (std::size_t row = 0; row * class_names.size() < record.confusion.size(); ++row) {
    json.begin_array();
    for (std::size_t col = 0; col < class_names.size(); ++col)
      json.value(record.confusion[row * class_names.size() + col]);
    json.end_array();
  }
  json.end_array();
  json.key("imageRows").value(record.image_rows).key("imageCols").value(record.image_cols);
  json.key("mistakes").begin_array();
  for (const mistake& each : record.mistakes) {
    json.begin_object();
    json.key("index").value(each.index).key("label").value(each.label).key("predicted").value(each.predicted);
    json.key("confidence").value(each.confidence, 4).key("pixels").value(base64(each.pixels));
    json.end_object();
  }
  json.end_array();
}

void write_facts(json_writer& json, const char* name, const facts& rows) {
  json.key(name).begin_array();
  for (const auto& [what, value] : rows) json.begin_array().value(what).value(value).end_array();
  json.end_array();
}

std::string layers(const job_record& record) {
  const auto inputs = record.image_rows * record.image_cols;
  return record.settings.network == "linear"
             ? fmt::format("{}-256-128-{}", inputs, class_names.size())
             : fmt::format("{}, convolutions to 16 and 32, 128-{}", inputs, class_names.size());
}

facts setting_facts(const job_record& record) {
  const options& settings = record.settings;
  return {{"network", fmt::format("{}, ReLU, {} parameters", layers(record),
                                  thousands(static_cast<double>(record.parameters)))},
          {"optimizer", fmt::format("Adam, learning rate {}", settings.learning_rate)},
          {"epochs", std::to_string(settings.epochs)},
          {"batch size", std::to_string(settings.batch_size)},
          {"seed", std::to_string(settings.seed)},
          {"device", record.device},
          {"threads", std::to_string(record.threads)},
          {"experiments", fmt::format("{} of {} epochs", settings.experiments, settings.experiment_epochs)},
          {"training images", thousands(static_cast<double>(record.train_count))},
          {"test images", thousands(static_cast<double>(record.test_count))},
          {"normalisation",
           fmt::format("mean {:.4f}, deviation {:.4f}", record.pixel_mean, record.pixel_deviation)},
          {"data", settings.data}};
}

facts timing_facts(const job_record& record) {
  const phase_times& times = record.times;
  return {{"reading and inflating", duration(times.load)},
          {"training", duration(times.train)},
          {"of it, waiting for data",
           fmt::format("{} ({})", duration(times.wait), percent(wait_share(record), 2))},
          {"evaluating", duration(times.evaluate)},
          {"experiments", duration(times.experiments)},
          {"whole job", duration(times.total)},
          {"training speed", thousands(rate(record)) + " images/s"}};
}

}  // namespace

std::string report_page(const job_record& record) {
  json_writer json;
  json.begin_object();
  write_tiles(json, record);
  write_curves(json, record);
  write_experiments(json, record);
  write_confusion(json, record);
  write_facts(json, "settings", setting_facts(record));
  write_facts(json, "timing", timing_facts(record));
  write_facts(json, "machine", describe_machine());
  json.end_object();

  const std::string subtitle =
      escape_html(fmt::format("A {}-256-128-{} network, trained on {} images of clothes from {}",
                              record.image_rows * record.image_cols, class_names.size(),
                              thousands(static_cast<double>(record.train_count)), record.settings.data));
  const std::string banner =
      record.signal == 0
          ? std::string()
          : fmt::format("<p class=\"banner\">Stopped by {}: what follows is as far as it came.</p>\n",
                        escape_html(signal_name(record.signal)));
  const std::string footer = escape_html("Written by weft's example fashion, version " FASHION_WEFT_VERSION
                                         ". The page holds everything that it shows and loads nothing.");
  const std::array<std::pair<std::string_view, std::string_view>, 7> parts = {
      {{"title", "Fashion-MNIST with weft"},
       {"subtitle", subtitle},
       {"banner", banner},
       {"style", report_css},
       {"data", json.text()},
       {"script", report_js},
       {"footer", footer}}};
  return fill(report_html, parts);
}

}  // namespace fashion
