#include "results.hpp"

#include <fmt/core.h>

#include <cerrno>        // for errno
#include <cmath>         // for std::isnan
#include <cstdio>        // for std::fopen
#include <memory>        // for std::unique_ptr
#include <system_error>  // for std::error_code
#include <weft/core/error.hpp>

namespace fashion {
namespace {

std::string field(double number) {
  return std::isnan(number) ? std::string() : fmt::format("{}", number);
}

std::string field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char letter : text) {
    if (letter == '"') quoted += '"';
    quoted += letter;
  }
  return quoted + '"';
}

double ratio(double part, double whole) {
  return whole > 0.0 ? part / whole : not_known;
}

}  // namespace

void write_file(const std::string& path, const std::string& content) {
  const auto failed = [&](const char* action) {
    throw weft::io_error(path, action, std::error_code(errno, std::system_category()));
  };
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (file == nullptr) failed("create");
  const bool written = std::fwrite(content.data(), 1, content.size(), file) == content.size();
  if (!written) {
    const int reason = errno;
    std::fclose(file);
    errno = reason;
    failed("write");
  }
  if (std::fclose(file) != 0) failed("write");
}

std::string results_csv(const job_record& record) {
  const options& settings = record.settings;
  std::string text =
      "run,learning_rate,batch_size,seed,epochs,threads,state,test_accuracy,test_loss,train_loss,seconds,"
      "samples_per_second,wait_share,start,end,thread\n";
  const double train_loss = record.epochs.empty() ? not_known : record.epochs.back().train_loss;
  text += fmt::format(
      "main,{},{},{},{},{},{},{},{},{},{},{},{},,,\n", settings.learning_rate, settings.batch_size,
      settings.seed, settings.epochs, record.threads,
      record.epochs.size() == static_cast<std::size_t>(settings.epochs) ? "finished" : "stopped",
      field(record.test_accuracy), field(record.test_loss), field(train_loss), field(record.times.train),
      field(ratio(static_cast<double>(record.samples), record.times.train)),
      field(ratio(record.times.wait, record.times.train)));
  for (const experiment_record& each : record.experiments) {
    const double seconds = each.end - each.start;
    text +=
        fmt::format("experiment {},{},{},{},{},1,{},{},{},{},{},{},,{},{},{}\n", each.number,
                    each.learning_rate, each.batch_size, each.seed, each.epochs, field(each.state),
                    field(each.test_accuracy), field(each.test_loss), field(each.train_loss), field(seconds),
                    field(ratio(static_cast<double>(each.samples), seconds)), field(each.start),
                    field(each.end), each.thread < 0 ? std::string() : std::to_string(each.thread));
  }
  return text;
}

std::string losses_csv(const job_record& record) {
  std::string text = "epoch,step,loss\n";
  for (std::size_t i = 0; i < record.losses.size(); ++i) {
    const auto step = static_cast<std::int64_t>(i);
    text += fmt::format("{},{},{}\n", step / record.steps_per_epoch + 1, step + 1, record.losses[i]);
  }
  return text;
}

}  // namespace fashion
