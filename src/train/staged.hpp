#pragma once

#include <weft/async/task.hpp>
#include <weft/compute/executor.hpp>
#include <weft/compute/transfer.hpp>

namespace weft::detail {

/// Elements where an executor computes: the given ones, or a copy that this keeps.
template <class T, int Rank>
class staged {
 public:
  task<tensor_view<const T, Rank>> bring(executor_base& executor, tensor_view<const T, Rank> elements) {
    if (elements.where() == executor.where()) co_return elements;
    copy_ = co_await to(executor, elements);
    const tensor_view<const T, Rank> copied = copy_.view();
    co_return copied;
  }

 private:
  tensor<T, Rank> copy_;
};

}  // namespace weft::detail
