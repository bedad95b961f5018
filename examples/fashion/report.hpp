#pragma once

#include <string>  // for std::string

#include "records.hpp"

namespace fashion {

/// The job as one HTML page that needs nothing else: curves, experiments, confusion matrix, mistakes and
/// settings.
std::string report_page(const job_record& record);

}  // namespace fashion
