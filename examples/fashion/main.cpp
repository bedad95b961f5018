#include <fmt/core.h>

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <csignal>     // for SIGINT, SIGTERM
#include <cstdio>      // for stderr
#include <filesystem>  // for std::filesystem::create_directories
#include <optional>    // for std::optional
#include <stop_token>  // for std::stop_source
#include <string>      // for std::to_string
#include <weft/async/run.hpp>
#include <weft/async/task_group.hpp>
#include <weft/compute/any_executor.hpp>
#include <weft/compute/cpu_context.hpp>
#include <weft/core/error.hpp>
#include <weft/data/sampler.hpp>
#include <weft/observe/stopwatch.hpp>
#include <weft/pool/thread_pool.hpp>
#include <weft/train/classifier.hpp>

#include "dataset.hpp"
#include "experiments.hpp"
#include "mistakes.hpp"
#include "options.hpp"
#include "records.hpp"
#include "report.hpp"
#include "results.hpp"
#include "training.hpp"

namespace fashion {
namespace {

constexpr int failed = 1;
constexpr int signal_exit_base = 128;

/// What outlives the event loop, so that it can be written after the job, stopped or not.
struct job_state {
  job_record record;
  /// From when there is something to train on.
  std::optional<weft::classifier> model;
};

/// Turns the first Ctrl-C or SIGTERM into a request to stop; a second one ends the program at once.
weft::task<> watch_signals(std::stop_source& stop, int& number) {
  boost::asio::signal_set signals(co_await boost::asio::this_coro::executor, SIGINT, SIGTERM);
  boost::system::error_code error;
  const int received =
      co_await signals.async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, error));
  if (error) co_return;
  number = received;
  stop.request_stop();
}

/// Where the training computes.
weft::any_executor open_device(const options& settings) {
  const weft::any_executor chosen = weft::make_executor(settings.device);
  if (chosen.where() != weft::place{} || settings.threads == 0) return chosen;
  return weft::make_executor("cpu:" + std::to_string(settings.threads));
}

/// The model's score on the whole test set, and what it got wrong.
weft::task<> evaluate(weft::thread_pool& pool, weft::any_executor& executor, const dataset& data,
                      const weft::image_batch& test, job_state& state) {
  const weft::stopwatch clock;
  job_record& record = state.record;
  const weft::evaluation result = co_await weft::evaluate(executor.base(), state.model->network(),
                                                          test.images.view(), test.labels.view());
  co_await state.model->move_to_host(executor.base());
  const auto find = [&] { return find_mistakes(weft::cpu_context{}, state.model->network(), data, result); };
  record.mistakes = co_await pool.run(find);
  const auto cells = result.confusion.elements();
  record.confusion.assign(cells.begin(), cells.end());
  record.test_accuracy = result.accuracy;
  record.test_loss = result.loss;
  record.times.evaluate += clock.seconds();
}

/// Reads, trains, evaluates and experiments.
weft::task<> run_job(const options& settings, const std::stop_token& stop, job_state& state) {
  dataset data;  // before the threads that read it
  weft::image_batch test;
  weft::thread_pool pool(settings.threads);
  weft::any_executor executor = open_device(settings);
  job_record& record = state.record;
  record.threads = pool.threads();
  record.device = executor.name();

  const weft::stopwatch load;
  data = co_await load_dataset(pool, settings.data, settings.limit);
  test = co_await pool.run([&] {
    return weft::collate(data.test, weft::sampler::sequential(data.test.count).epoch(0), data.scale);
  });
  record.times.load = load.seconds();
  record.train_count = data.train.count;
  record.test_count = data.test.count;
  record.image_rows = data.train.rows;
  record.image_cols = data.train.cols;
  record.pixel_mean = data.scale.mean;
  record.pixel_deviation = data.scale.deviation;
  fmt::print("{} training and {} test images read from {} in {:.2f} s\n", data.train.count, data.test.count,
             settings.data, record.times.load);
  std::fflush(stdout);

  state.model.emplace(weft::classifier_options{.network = network_for(settings, data),
                                               .seed = settings.seed,
                                               .optimizer = {.learning_rate = settings.learning_rate}});
  record.parameters = state.model->network().parameter_count();
  co_await state.model->move_to(executor.base());
  const training_job training = {
      .pool = pool,
      .executor = executor,
      .data = data,
      .test = test,
      .plan = {.batch_size = settings.batch_size, .epochs = settings.epochs, .seed = settings.seed},
      .stop = stop};
  co_await train(training, *state.model, record);
  co_await evaluate(pool, executor, data, test, state);
  record.experiments = plan_experiments(settings);
  if (record.experiments.empty() || stop.stop_requested()) co_return;
  const weft::stopwatch clock;
  const experiment_job experiments = {
      .pool = pool, .data = data, .test = test, .network = network_for(settings, data), .stop = stop};
  co_await run_experiments(experiments, record.experiments);
  record.times.experiments = clock.seconds();
}

weft::task<> run_until_stopped(const options& settings, job_state& state) {
  std::stop_source stop;
  const std::stop_token token = stop.get_token();
  co_await weft::with_task_group([&](weft::task_group& group) -> weft::task<> {
    group.spawn(watch_signals(stop, state.record.signal));
    co_await run_job(settings, token, state);
    group.cancel();
  });
}

void make_folder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw weft::io_error(path, "create the folder", error);
}

void write_results(const options& settings, const job_state& state) {
  const std::filesystem::path folder(settings.out);
  const auto place = [&](const char* name) { return (folder / name).string(); };
  write_file(place("results.csv"), results_csv(state.record));
  write_file(place("losses.csv"), losses_csv(state.record));
  weft::save(state.model->network(), place("weights.safetensors"));
  write_file(place("report.html"), report_page(state.record));
}

void print_summary(const job_state& state, const options& settings) {
  const job_record& record = state.record;
  fmt::print(
      "\ntest accuracy {:.4f} after {} of {} epochs; {:.2f} s of training at {:.0f} images/s, of which "
      "{:.2f} % "
      "waiting for data\n",
      record.test_accuracy, record.epochs.size(), settings.epochs, record.times.train,
      record.times.train > 0.0 ? static_cast<double>(record.samples) / record.times.train : 0.0,
      record.times.train > 0.0 ? 100.0 * record.times.wait / record.times.train : 0.0);
  const std::filesystem::path folder = std::filesystem::absolute(settings.out).lexically_normal();
  fmt::print("weights, results.csv and losses.csv are in {}\nreport: {}\n", folder.string(),
             (folder / "report.html").string());
  std::fflush(stdout);
}

int run_program(const options& settings) {
  const weft::stopwatch clock;
  make_folder(settings.out);
  job_state state;
  state.record.settings = settings;
  weft::run(run_until_stopped(settings, state));
  state.record.times.total = clock.seconds();
  const int number = state.record.signal;
  if (number != 0) fmt::print(stderr, "fashion: stopped by {}\n", number == SIGINT ? "Ctrl-C" : "SIGTERM");
  write_results(settings, state);
  print_summary(state, settings);
  return number == 0 ? 0 : signal_exit_base + number;
}

}  // namespace
}  // namespace fashion

int main(int count, char** arguments) {
  const auto parsed = fashion::parse_options(count, arguments);
  if (const int* exit_code = std::get_if<int>(&parsed)) return *exit_code;
  try {
    return fashion::run_program(std::get<fashion::options>(parsed));
  } catch (const std::exception& failure) {
    fmt::print(stderr, "fashion: error: {}\n", failure.what());
    return fashion::failed;
  }
}
