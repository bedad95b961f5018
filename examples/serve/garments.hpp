#pragma once

#include "options.hpp"

#include <memory>  // for std::shared_ptr
#include <string>  // for std::string
#include <weft/compute/kernels/normalize.hpp>
#include <weft/data/image_set.hpp>
#include <weft/serve/served_model.hpp>

namespace garments {

/// The images and what turns a pixel into what the network takes.
struct images {
  weft::image_set train;
  weft::image_set test;
  weft::normalize scale;
};

/// Reads the four files of a folder; throws weft::io_error or weft::format_error, naming the file.
images load_images(const std::string& folder);

/// The network of the weights' file, or one that is trained now, as the server takes it: "fashion", from
/// "image", UINT8 [784], to "probabilities", FP32 [10], and "label", INT64 [].
weft::served_model make_model(const options& chosen, const images& data);

/// A few garments of the test set with their names, as JSON, for the page.
std::string samples_json(const images& data);

}  // namespace garments
