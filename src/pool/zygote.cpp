#include "pool/zygote.hpp"

#include "pool/socket.hpp"
#include "pool/worker.hpp"

#include <weft/core/error.hpp>

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>      // for std::max
#include <array>          // for std::array
#include <cerrno>         // for errno
#include <csignal>        // for sigset_t
#include <cstdio>         // for std::fflush
#include <cstdlib>        // for std::getenv, std::strtol
#include <cstring>        // for std::strncmp
#include <mutex>          // for std::mutex
#include <string>         // for std::string
#include <system_error>   // for std::generic_category
#include <unordered_map>  // for std::unordered_map
#include <vector>         // for std::vector

// Code that is built with ThreadSanitizer may have one thread more than it started.
#if defined(__SANITIZE_THREAD__)
#define WEFT_SANITIZER_THREADS 1
#else
#define WEFT_SANITIZER_THREADS 0
#endif

namespace weft::detail {

extern bool began_here;  // start.cpp

namespace {

constexpr int control_number = 3;  // where the zygote finds its socket

struct greeting {
  std::int32_t threads;
};

struct introduction {
  std::uint32_t unused;
};

int open_process(pid_t pid) noexcept {
  return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

int count_threads() {
  int count = 0;
  DIR* folder = ::opendir("/proc/self/task");
  if (folder == nullptr) return 1;
  while (const dirent* entry = ::readdir(folder)) count += entry->d_name[0] != '.' ? 1 : 0;
  ::closedir(folder);
  return std::max(count - WEFT_SANITIZER_THREADS, 1);
}

// -------------------------------------------------------------------------------------------- in the zygote

class zygote_loop {
 public:
  explicit zygote_loop(pid_t parent) : control_(control_number), parent_(open_process(parent)) {
    sigset_t deaths;
    sigemptyset(&deaths);
    sigaddset(&deaths, SIGCHLD);
    ::sigprocmask(SIG_BLOCK, &deaths, &usual_mask_);
    children_ = descriptor(::signalfd(-1, &deaths, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  [[noreturn]] void run() {
    std::vector<pollfd> watched;
    for (;;) {
      watched.clear();
      watched.push_back({control_.get(), POLLIN, 0});
      watched.push_back({parent_.get(), POLLIN, 0});
      watched.push_back({children_.get(), POLLIN, 0});
      for (const descriptor& client : clients_) watched.push_back({client.get(), POLLIN, 0});
      if (::poll(watched.data(), watched.size(), -1) < 0) continue;
      if (watched[1].revents != 0) ::_exit(0);  // the workers go with this process
      if (watched[2].revents != 0) reap();
      for (std::size_t i = watched.size(); i-- > 3;) {
        if (watched[i].revents != 0) serve(i - 3);
      }
      if (watched[0].revents != 0) admit();
    }
  }

 private:
  struct child {
    int client;
    std::uint64_t worker;
  };

  void admit() {
    introduction message{};
    std::vector<descriptor> received;
    if (receive_message(control_.get(), message, received) != transfer::done) ::_exit(0);
    if (received.size() == 1) clients_.push_back(std::move(received.front()));
  }

  void serve(std::size_t index) {
    const int client = clients_[index].get();
    spawn_request request{};
    std::vector<descriptor> received;
    if (receive_message(client, request, received) == transfer::done && received.size() == 4) {
      spawn(client, request, received);
      return;
    }
    for (auto& [pid, worker] : workers_) {
      if (worker.client != client) continue;
      ::kill(pid, SIGKILL);
      worker.client = -1;
    }
    clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(index));
  }

  void spawn(int client, const spawn_request& request, std::vector<descriptor>& received) {
    const pid_t self = ::getpid();
    const pid_t pid = ::fork();
    if (pid == 0) become_worker(self, received);
    if (pid < 0) {
      send_message(client, zygote_notice{zygote_notice::refused, 0, request.worker, errno});
      return;
    }
    workers_[pid] = {client, request.worker};
    const descriptor handle(open_process(pid));
    send_message(client, zygote_notice{zygote_notice::spawned, pid, request.worker, 0}, {handle.get()});
  }

  [[noreturn]] void become_worker(pid_t zygote, std::vector<descriptor>& received) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != zygote) ::_exit(0);
    ::sigprocmask(SIG_SETMASK, &usual_mask_, nullptr);
    clients_.clear();
    control_.close();
    parent_.close();
    children_.close();
    const descriptor nothing(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (nothing) ::dup2(nothing.get(), STDIN_FILENO);
    ::dup2(received[2].get(), STDERR_FILENO);
    received[2].close();
    run_worker(received[0].release(), received[1].release(), received[3].release());
  }

  void reap() {
    std::array<signalfd_siginfo, 8> discarded;
    while (::read(children_.get(), discarded.data(), sizeof(discarded)) > 0) {
    }
    for (;;) {
      int status = 0;
      const pid_t pid = ::waitpid(-1, &status, WNOHANG);
      if (pid <= 0) return;
      const auto found = workers_.find(pid);
      if (found == workers_.end()) continue;
      const child gone = found->second;
      workers_.erase(found);
      if (gone.client < 0) continue;
      send_message(gone.client, zygote_notice{zygote_notice::exited, pid, gone.worker, status});
    }
  }

  descriptor control_;
  descriptor parent_;
  descriptor children_;
  sigset_t usual_mask_{};
  std::vector<descriptor> clients_;
  std::unordered_map<pid_t, child> workers_;
};

// -------------------------------------------------------------------------------------- in the user's
// process

class zygote_process {
 public:
  zygote_process() = default;
  zygote_process(const zygote_process&) = delete;
  zygote_process& operator=(const zygote_process&) = delete;
  ~zygote_process() {
    if (owner_ == ::getpid()) end();
  }

  descriptor connect(std::chrono::milliseconds limit) {
    const std::lock_guard lock(mutex_);
    if (owner_ != ::getpid()) control_.close();  // forked since: the zygote is another's
    if (!control_) start(limit);
    descriptor mine = introduce();
    if (mine) return mine;
    end();  // it has died meanwhile
    start(limit);
    mine = introduce();
    if (!mine) throw error("process_pool: the process that starts the workers ended as soon as it began");
    return mine;
  }

 private:
  static std::array<descriptor, 2> make_pair() {
    int pair[2];
    if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
      throw error("process_pool: cannot make a socket: " + std::generic_category().message(errno));
    }
    return {descriptor(pair[0]), descriptor(pair[1])};
  }

  descriptor introduce() {
    auto [mine, its] = make_pair();
    if (send_message(control_.get(), introduction{}, {its.get()}) != transfer::done) return {};
    return std::move(mine);
  }

  void start(std::chrono::milliseconds limit) {
    if (!began_here) {
      throw error(
          "process_pool: this program did not begin in weft: worker processes need weft::pool linked into "
          "the "
          "executable itself, not only into a library that it loads");
    }
    auto [mine, its] = make_pair();
    const int failure = launch(its.get());
    its.close();
    if (failure != 0) {
      throw error("process_pool: cannot start the process that starts the workers: " +
                  std::generic_category().message(failure));
    }
    owner_ = ::getpid();
    control_ = std::move(mine);
    pollfd answer{control_.get(), POLLIN, 0};
    greeting hello{};
    std::vector<descriptor> none;
    if (::poll(&answer, 1, static_cast<int>(limit.count())) <= 0) {
      end();
      throw timeout_error("process_pool: the process that starts the workers was not ready within " +
                          std::to_string(limit.count()) + " ms; see start_timeout");
    }
    if (receive_message(control_.get(), hello, none) != transfer::done) {
      end();
      throw error(
          "process_pool: the process that starts the workers ended in the program's static initialisers");
    }
    if (hello.threads != 1) {
      end();
      throw error("process_pool: the program's static initialisers start " +
                  std::to_string(hello.threads - 1) +
                  " threads, and a process with threads cannot be forked safely; start them in main()");
    }
  }

  int launch(int socket) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    // Through a number that is surely not the target: dup2() onto itself would keep close-on-exec.
    const descriptor high(::fcntl(socket, F_DUPFD_CLOEXEC, control_number + 1));
    posix_spawn_file_actions_adddup2(&actions, high.get(), control_number);
    posix_spawn_file_actions_addclosefrom_np(&actions, control_number + 1);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    // Its own group: an interrupt at the terminal ends the program, which ends the workers, in that order.
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    std::vector<char*> environment;
    for (char** next = environ; *next != nullptr; ++next) environment.push_back(*next);
    std::string mark = "WEFT_ZYGOTE=" + std::to_string(::getpid());
    environment.push_back(mark.data());
    environment.push_back(nullptr);
    std::array<char*, 2> arguments{program_invocation_name, nullptr};
    const int failure =
        ::posix_spawn(&pid_, "/proc/self/exe", &actions, &attributes, arguments.data(), environment.data());
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return failure;
  }

  void end() noexcept {
    if (!control_) return;
    control_.close();
    ::kill(pid_, SIGKILL);  // not reaped yet, so nobody else has its number
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }

  std::mutex mutex_;
  descriptor control_;
  pid_t pid_ = -1;
  pid_t owner_ = -1;
};

}  // namespace

descriptor connect_to_zygote(std::chrono::milliseconds limit) {
  static zygote_process only;
  return only.connect(limit);
}

int zygote_main() {
  const char* mark = std::getenv("WEFT_ZYGOTE");
  if (mark == nullptr) return 2;
  const auto parent = static_cast<pid_t>(std::strtol(mark, nullptr, 10));
  ::unsetenv("WEFT_ZYGOTE");
  if (::fcntl(control_number, F_SETFD, FD_CLOEXEC) != 0) return 2;
  ::prctl(PR_SET_NAME, "weft-zygote");
  std::fflush(nullptr);
  zygote_loop loop(parent);
  if (::getppid() != parent) return 0;
  send_message(control_number, greeting{count_threads()});
  loop.run();
}

}  // namespace weft::detail
