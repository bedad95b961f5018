#pragma once

#include <string>   // for std::string
#include <utility>  // for std::pair
#include <vector>   // for std::vector

namespace fashion {

/// What the program runs on, as pairs of a name and a value.
std::vector<std::pair<std::string, std::string>> describe_machine();

}  // namespace fashion
