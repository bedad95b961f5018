#include <serve/model_repository.hpp>

#include <serve/http_message.hpp>

#include <algorithm>  // for std::all_of
#include <utility>    // for std::exchange, std::pair

namespace weft::detail {

model_graveyard::model_graveyard() : thread_([this](const std::stop_token& stop) { work(stop); }) {}

model_graveyard::~model_graveyard() = default;

void model_graveyard::bury(std::unique_ptr<loaded_model> model) {
  {
    const std::lock_guard lock(mutex_);
    dead_.push_back(std::move(model));
  }
  changed_.notify_one();
}

void model_graveyard::work(const std::stop_token& stop) {
  while (true) {
    std::vector<std::unique_ptr<loaded_model>> mine;
    std::unique_lock lock(mutex_);
    if (!changed_.wait(lock, stop, [this] { return !dead_.empty(); })) return;
    mine = std::exchange(dead_, {});
    lock.unlock();
  }
}

void model_repository::load(served_model model) {
  auto fresh = std::make_unique<loaded_model>(std::move(model));
  const served_model& description = fresh->description();
  const std::string name = description.name;
  const std::string version = description.version;
  std::shared_ptr<loaded_model> shared(
      fresh.release(), [this](loaded_model* dead) { graveyard_.bury(std::unique_ptr<loaded_model>(dead)); });
  const std::lock_guard lock(mutex_);
  models_[name][version].swap(shared);
}

void model_repository::unload(std::string_view name, std::string_view version) {
  const std::lock_guard lock(mutex_);
  const auto found = models_.find(name);
  if (found == models_.end()) throw invalid_argument("unload: there is no model '" + std::string(name) + "'");
  if (version.empty()) {
    models_.erase(found);
    return;
  }
  const auto mine = found->second.find(version);
  if (mine == found->second.end()) {
    throw invalid_argument("unload: model '" + std::string(name) + "' has no version '" +
                           std::string(version) + "'");
  }
  found->second.erase(mine);
  if (found->second.empty()) models_.erase(found);
}

std::shared_ptr<loaded_model> model_repository::find(std::string_view name, std::string_view version) const {
  const std::shared_lock lock(mutex_);
  const auto found = models_.find(name);
  if (found == models_.end()) throw http_error(404, "there is no model '" + std::string(name) + "'");
  if (version.empty()) return found->second.rbegin()->second;
  const auto mine = found->second.find(version);
  if (mine == found->second.end()) {
    throw http_error(404, "model '" + std::string(name) + "' has no version '" + std::string(version) + "'");
  }
  return mine->second;
}

std::shared_ptr<loaded_model> model_repository::only() const {
  const std::shared_lock lock(mutex_);
  if (models_.size() != 1) {
    throw http_error(404, "/predict is for a server with one model, this has " +
                              std::to_string(models_.size()) + "; use /v2/models/<name>/infer");
  }
  return models_.begin()->second.rbegin()->second;
}

std::vector<std::string> model_repository::versions(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  std::vector<std::string> found;
  if (const auto mine = models_.find(name); mine != models_.end()) {
    for (const auto& [version, model] : mine->second) found.push_back(version);
  }
  return found;
}

std::vector<std::shared_ptr<loaded_model>> model_repository::all() const {
  const std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<loaded_model>> found;
  for (const auto& [name, versions] : models_) {
    for (const auto& [version, model] : versions) found.push_back(model);
  }
  return found;
}

bool model_repository::empty() const {
  const std::shared_lock lock(mutex_);
  return models_.empty();
}

bool model_repository::version_order::operator()(std::string_view one,
                                                 std::string_view other) const noexcept {
  const auto key = [](std::string_view version) {
    const bool number =
        std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
    // Without leading zeros the longer number is the greater.
    const std::string_view digits = version.substr(std::min(version.find_first_not_of('0'), version.size()));
    return std::tuple(number, number ? digits.size() : 0, number ? digits : version, version);
  };
  return key(one) < key(other);
}

}  // namespace weft::detail
