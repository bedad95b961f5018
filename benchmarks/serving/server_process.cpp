#include "server_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>   // for std::transform
#include <charconv>    // for std::from_chars
#include <chrono>      // for std::chrono::steady_clock
#include <csignal>     // for SIGTERM
#include <filesystem>  // for std::filesystem::directory_iterator
#include <fstream>     // for std::ifstream
#include <iterator>    // for std::back_inserter
#include <map>         // for std::multimap
#include <sstream>     // for std::istringstream
#include <thread>      // for std::this_thread

namespace http_cases {
namespace {

constexpr int exit_missing = 77;
constexpr auto patience = std::chrono::seconds(8);
constexpr std::string_view listening = "listening ";
constexpr std::string_view is_version = "version ";

// The fields of /proc/PID/stat after the name, the first being the state; empty if the process has gone.
std::vector<std::string> stat_of(pid_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(file, line);
  const std::size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream rest(line.substr(name_end + 1));
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

std::multimap<pid_t, pid_t> children_by_parent() {
  std::multimap<pid_t, pid_t> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size())
      continue;
    const std::vector<std::string> fields = stat_of(pid);
    if (fields.size() > 1) children.emplace(std::stoi(fields[1]), pid);
  }
  return children;
}

[[noreturn]] void become(const std::vector<std::string>& command, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGTERM);
  ::dup2(output, STDOUT_FILENO);
  std::vector<char*> arguments;
  std::transform(command.begin(), command.end(), std::back_inserter(arguments),
                 [](const std::string& each) { return const_cast<char*>(each.c_str()); });
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  ::_exit(127);
}

// The next line without its end; false at the end of the output.
bool read_line(int from, std::string& line) {
  line.clear();
  char next = 0;
  while (::read(from, &next, 1) == 1) {
    if (next == '\n') return true;
    line += next;
  }
  return !line.empty();
}

}  // namespace

server_process::server_process(const std::vector<std::string>& command) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("no pipe to the server");
  pid_ = ::fork();
  if (pid_ == 0) become(command, ends[1]);
  ::close(ends[1]);
  output_ = ends[0];
  std::string line;
  std::string last;
  while (read_line(output_, line)) {
    if (line.starts_with(listening)) {
      port_ = static_cast<std::uint16_t>(std::stoi(line.substr(listening.size())));
      return;
    }
    if (line.starts_with(is_version)) version_ = line.substr(is_version.size());
    last = line;
  }
  int status = 0;
  ::waitpid(pid_, &status, 0);
  ::close(output_);
  if (WIFEXITED(status) && WEXITSTATUS(status) == exit_missing) throw missing(last);
  throw std::runtime_error(fmt::format("{} did not start: {}", command[0], last));
}

server_process::~server_process() {
  end();
  ::close(output_);
}

void server_process::end() {
  const std::vector<pid_t> all = processes();
  ::kill(pid_, SIGTERM);
  const auto latest = std::chrono::steady_clock::now() + patience;
  bool ended = false;
  while (!ended && std::chrono::steady_clock::now() < latest) {
    ended = ::waitpid(pid_, nullptr, WNOHANG) == pid_;
    if (!ended) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  for (const pid_t each : all) {
    if (each != pid_ || !ended) ::kill(each, SIGKILL);
  }
  if (!ended) ::waitpid(pid_, nullptr, 0);
}

std::vector<pid_t> server_process::processes() const {
  const std::multimap<pid_t, pid_t> children = children_by_parent();
  std::vector<pid_t> all = {pid_};
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto [begin, end] = children.equal_range(all[i]);
    for (auto child = begin; child != end; ++child) all.push_back(child->second);
  }
  return all;
}

double server_process::cpu_seconds() const {
  constexpr std::size_t user = 11;  // after the name
  long ticks = 0;
  for (const pid_t each : processes()) {
    const std::vector<std::string> fields = stat_of(each);
    if (fields.size() > user + 1) ticks += std::stol(fields[user]) + std::stol(fields[user + 1]);
  }
  return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double server_process::pss_bytes() const {
  double bytes = 0;
  for (const pid_t each : processes()) {
    std::ifstream file(fmt::format("/proc/{}/smaps_rollup", each));
    for (std::string line; std::getline(file, line);) {
      if (line.starts_with("Pss:")) bytes += 1024.0 * std::stod(line.substr(4));
    }
  }
  return bytes;
}

}  // namespace http_cases
