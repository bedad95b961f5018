#pragma once

#include <serve/loaded_model.hpp>

#include <memory>  // for std::shared_ptr
#include <string>  // for std::string
#include <vector>  // for std::vector

namespace weft::detail {

/// What GET /v2/models/{m} returns.
std::string metadata_json(const served_model& model, const std::vector<std::string>& versions);

/// What GET /v2/models/{m}/config returns.
std::string config_json(const served_model& model);

/// What GET /v2/models/{m}/stats returns.
std::string stats_json(const std::vector<std::shared_ptr<loaded_model>>& models);

}  // namespace weft::detail
