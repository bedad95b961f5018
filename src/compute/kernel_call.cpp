#include <weft/compute/cuda_device.hpp>
#include <weft/compute/kernel_call.hpp>

namespace weft::detail {
namespace {

std::string title(const char* name, const std::string& operands, std::string_view executor, place where) {
  std::string text = std::string(name) + "(" + operands + ") on " + std::string(executor);
  if (to_string(where) != executor) text += ", " + to_string(where);
  return text + ": ";
}

}  // namespace

void kernel_state::rethrow_named() const {
  const std::string before = title(name_, operands(), executor_, where_);
  try {
    throw;
  } catch (const cancelled&) {
    throw;
  } catch (const shape_error& problem) {
    throw shape_error(before + problem.what());
  } catch (const invalid_argument& problem) {
    throw invalid_argument(before + problem.what());
  } catch (const device_lost& problem) {
    throw device_lost(before + problem.what(), problem);
  } catch (const device_out_of_memory& problem) {
    throw device_out_of_memory(before + problem.what(), problem);
  } catch (const std::exception& problem) {
    std::throw_with_nested(kernel_error(before + problem.what()));
  } catch (...) {
    std::throw_with_nested(kernel_error(before + "it threw what is no std::exception"));
  }
}

void kernel_state::refuse_backend(const char* backend) const {
  throw invalid_argument(std::string("the kernel has no operator() for ") + backend + " and these arguments");
}

}  // namespace weft::detail
