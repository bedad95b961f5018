#include <compute/cuda/check.hpp>
#include <compute/cuda/memory.hpp>
#include <compute/cuda_kernel_table.hpp>
#include <compute/cuda_stream.hpp>

#include <chrono>              // for std::chrono::milliseconds
#include <condition_variable>  // for std::condition_variable
#include <deque>               // for std::deque
#include <exception>           // for std::exception_ptr
#include <mutex>               // for std::mutex
#include <optional>            // for std::optional
#include <string>              // for std::string, std::to_string
#include <thread>              // for std::thread
#include <utility>             // for std::move, std::exchange
#include <vector>              // for std::vector

namespace weft::detail {

namespace {

// A queue between the threads below. pop() gives nothing once it is closed and empty.
template <class T>
class handover {
 public:
  void push(T item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_one();
  }

  std::optional<T> pop() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || !items_.empty(); });
    if (items_.empty()) return std::nullopt;
    std::optional<T> item(std::move(items_.front()));
    items_.pop_front();
    return item;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<T> items_;
  bool closed_ = false;
};

// One thread launches the calls in order and never waits for the GPU; another waits for the event behind each
// call's work and completes it.
class device_stream final : public cuda_stream {
 public:
  explicit device_stream(const cuda_executor_options& options)
      : device_(options.device), notifier_(options.notifier), memory_(make_device_memory(options.device)) {
    const device_scope current(device_);
    check_cuda(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    try {
      launcher_ = std::thread([this] { launch_calls(); });
      completer_ = std::thread([this] { complete_calls(); });
    } catch (...) {
      calls_.close();
      if (launcher_.joinable()) launcher_.join();
      static_cast<void>(cudaStreamDestroy(stream_));
      throw;
    }
  }

  ~device_stream() override {
    calls_.close();
    launcher_.join();
    launched_.close();
    completer_.join();
    for (cudaEvent_t event : events_) static_cast<void>(cudaEventDestroy(event));
    if (scratch_ != nullptr) static_cast<void>(cudaFreeAsync(scratch_, stream_));
    static_cast<void>(cudaStreamDestroy(stream_));
  }

  void enqueue(kernel_call call) override { calls_.push(std::move(call)); }

  void launched(kernel_state& call) override {
    cudaEvent_t event = take_event();
    const cudaError_t recorded = cudaEventRecord(event, stream_);
    if (recorded != cudaSuccess) {
      give_back(event);
      check_cuda(recorded, "cudaEventRecord");
    }
    if (notifier_ == cuda_notifier::callback) {
      const cudaError_t added = cudaLaunchHostFunc(
          stream_, [](void* self) { static_cast<device_stream*>(self)->count_callback(); }, this);
      if (added != cudaSuccess) {
        give_back(event);
        check_cuda(added, "cudaLaunchHostFunc");
      }
    }
    call.call().retain();
    launched_.push({&call, event});
  }

  std::shared_ptr<memory> source() const override { return memory_; }
  CUstream_st* stream() const noexcept override { return stream_; }
  place where() const noexcept override { return cuda_place(device_); }
  void synchronize() override { check_cuda(cudaStreamSynchronize(stream_), "cudaStreamSynchronize"); }

  void settle() noexcept override { static_cast<void>(cudaStreamSynchronize(stream_)); }

  bool copies_alone(const void* from) override {
    cudaPointerAttributes attributes{};
    check_cuda(cudaPointerGetAttributes(&attributes, from), "cudaPointerGetAttributes");
    return attributes.type != cudaMemoryTypeUnregistered;
  }

  void* scratch(std::size_t bytes) override {
    if (bytes <= scratch_bytes_) return scratch_;
    // In the order of the stream: kernels that still use the smaller one come first.
    if (scratch_ != nullptr)
      check_cuda(cudaFreeAsync(std::exchange(scratch_, nullptr), stream_), "cudaFreeAsync");
    scratch_bytes_ = 0;
    check_cuda(cudaMallocAsync(&scratch_, bytes, stream_), "cudaMallocAsync");
    scratch_bytes_ = bytes;
    return scratch_;
  }

  void copy(void* to, const void* from, std::size_t bytes) override {
    check_cuda(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDefault, stream_), "cudaMemcpyAsync");
  }

  const cuda_kernel_table& kernels() const noexcept override { return cuda_kernels(); }

 private:
  struct flight {
    kernel_state* call;
    cudaEvent_t event;
  };

  void launch_calls() {
    static_cast<void>(cudaSetDevice(device_));  // it worked for memory_; if not now, the kernels say so
    const cuda_context context(*this);
    while (std::optional<kernel_call> call = calls_.pop()) (*call)(context);
  }

  void complete_calls() {
    static_cast<void>(cudaSetDevice(device_));
    while (const std::optional<flight> next = launched_.pop()) {
      const cudaError_t status = wait_for(next->event);
      give_back(next->event);
      std::exception_ptr problem;
      if (status != cudaSuccess) {
        try {
          check_cuda(status, "the kernel's work");
        } catch (...) {
          problem = std::current_exception();
        }
      }
      next->call->complete(std::move(problem));
      next->call->call().release();
    }
  }

  cudaError_t wait_for(cudaEvent_t event) {
    if (notifier_ == cuda_notifier::blocking) return cudaEventSynchronize(event);
    for (;;) {
      const cudaError_t status = cudaEventQuery(event);
      if (status != cudaErrorNotReady) return status;
      if (notifier_ == cuda_notifier::polling) {
        std::this_thread::yield();
        continue;
      }
      // After an error the driver may never call: look again now and then.
      std::unique_lock lock(callback_mutex_);
      callback_.wait_for(lock, std::chrono::milliseconds(20), [this] { return callbacks_ > 0; });
      if (callbacks_ > 0) --callbacks_;
    }
  }

  void count_callback() {
    const std::lock_guard lock(callback_mutex_);
    ++callbacks_;
    callback_.notify_one();
  }

  cudaEvent_t take_event() {
    {
      const std::lock_guard lock(events_mutex_);
      if (!events_.empty()) {
        cudaEvent_t event = events_.back();
        events_.pop_back();
        return event;
      }
    }
    cudaEvent_t event = nullptr;
    const unsigned flags = notifier_ == cuda_notifier::blocking
                               ? cudaEventDisableTiming | cudaEventBlockingSync
                               : cudaEventDisableTiming;
    check_cuda(cudaEventCreateWithFlags(&event, flags), "cudaEventCreateWithFlags");
    return event;
  }

  void give_back(cudaEvent_t event) {
    const std::lock_guard lock(events_mutex_);
    events_.push_back(event);
  }

  int device_;
  cuda_notifier notifier_;
  std::shared_ptr<memory> memory_;
  cudaStream_t stream_ = nullptr;
  void* scratch_ = nullptr;
  std::size_t scratch_bytes_ = 0;

  handover<kernel_call> calls_;
  handover<flight> launched_;
  std::mutex events_mutex_;
  std::vector<cudaEvent_t> events_;
  std::mutex callback_mutex_;
  std::condition_variable callback_;
  int callbacks_ = 0;
  std::thread launcher_;
  std::thread completer_;
};

}  // namespace

std::unique_ptr<cuda_stream> make_cuda_stream(const cuda_executor_options& options) {
  const std::size_t count = cuda_devices().size();
  if (options.device < 0 || static_cast<std::size_t>(options.device) >= count) {
    throw invalid_argument("cuda_executor: there is no " + to_string(cuda_place(options.device)) +
                           ": this process may use " + std::to_string(count) + " GPUs");
  }
  return std::make_unique<device_stream>(options);
}

}  // namespace weft::detail
