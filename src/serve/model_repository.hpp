#pragma once

#include <serve/loaded_model.hpp>

#include <condition_variable>  // for std::condition_variable_any
#include <map>                 // for std::map
#include <memory>              // for std::shared_ptr
#include <mutex>               // for std::mutex
#include <shared_mutex>        // for std::shared_mutex
#include <stop_token>          // for std::stop_token
#include <string>              // for std::string
#include <string_view>         // for std::string_view
#include <thread>              // for std::jthread
#include <vector>              // for std::vector

namespace weft::detail {

/// Destroys models on a thread of its own: a destructor waits for the batch that runs, and who drops the last
/// reference is a thread that serves connections.
///
/// Thread safety: all members may be called from any thread.
class model_graveyard {
 public:
  model_graveyard();
  /// Waits until all are destroyed.
  ~model_graveyard();
  model_graveyard(const model_graveyard&) = delete;
  model_graveyard& operator=(const model_graveyard&) = delete;

  void bury(std::unique_ptr<loaded_model> model);

 private:
  void work(const std::stop_token& stop);

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::vector<std::unique_ptr<loaded_model>> dead_;
  std::jthread thread_;  // last: it uses the rest
};

/// The models that are served, by name and version. Who has found a model keeps it until it is answered,
/// whatever is loaded or unloaded meanwhile.
///
/// Thread safety: all members may be called from any thread.
class model_repository {
 public:
  /// Throws as loaded_model; what is served stays so.
  void load(served_model model);
  /// Throws invalid_argument if there is none.
  void unload(std::string_view name, std::string_view version);

  /// The model of that name; of the greatest version if that is empty. Throws http_error, 404.
  std::shared_ptr<loaded_model> find(std::string_view name, std::string_view version) const;
  /// The only model there is; throws http_error, 404, unless there is exactly one.
  std::shared_ptr<loaded_model> only() const;
  /// Its versions, ascending.
  std::vector<std::string> versions(std::string_view name) const;
  /// All of them, by name and version.
  std::vector<std::shared_ptr<loaded_model>> all() const;
  bool empty() const;

 private:
  // Versions that are numbers in their order, behind the others.
  struct version_order {
    using is_transparent = void;
    bool operator()(std::string_view one, std::string_view other) const noexcept;
  };
  using version_map = std::map<std::string, std::shared_ptr<loaded_model>, version_order>;

  model_graveyard graveyard_;  // first: the models go there
  mutable std::shared_mutex mutex_;
  std::map<std::string, version_map, std::less<>> models_;
};

}  // namespace weft::detail
