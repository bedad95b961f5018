#pragma once

#include <string>  // for std::string

#include "records.hpp"

namespace fashion {

/// Writes a whole file. @throws weft::io_error naming it
void write_file(const std::string& path, const std::string& content);

/// results.csv: one row for the training and one for each experiment; docs/fashion.md describes the columns.
std::string results_csv(const job_record& record);

/// losses.csv: the loss of each step of the training, with as many digits as it takes to read the same number
/// back.
std::string losses_csv(const job_record& record);

}  // namespace fashion
