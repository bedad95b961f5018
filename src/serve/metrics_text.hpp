#pragma once

#include <serve/model_repository.hpp>
#include <serve/server_figures.hpp>

#include <string>  // for std::string

namespace weft::detail {

/// Everything in Prometheus' text format: the models under Triton's names and ours, the server, and the
/// metrics of the process.
std::string prometheus_text(const model_repository& models, const server_figures& server);

}  // namespace weft::detail
