// The most frequent words of a folder of texts, as a graph of calls that are put off: a file is read once for
// the two that look at it, and the counts of parts are merged in pairs.

#include <weft/core/error.hpp>
#include <weft/observe/stopwatch.hpp>
#include <weft/pool/delayed.hpp>
#include <weft/pool/thread_pool.hpp>

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using counts = std::unordered_map<std::string, long>;

struct options {
  fs::path folder = "/usr/share/common-licenses";
  int threads = 0;
  std::size_t top = 10;
  fs::path graph;
};

struct summary {
  long lines = 0;
  long words = 0;
  std::vector<std::pair<std::string, long>> most_frequent;

  bool operator==(const summary&) const = default;
};

std::string load(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw weft::io_error(file.string(), "open", std::error_code(errno, std::generic_category()));
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Words are runs of letters and digits, in lower case; anything beyond ASCII counts as a letter.
counts count_words(const std::string& text) {
  counts found;
  std::string word;
  const auto end_word = [&] {
    if (!word.empty()) ++found[std::exchange(word, {})];
  };
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 128 || std::isalnum(byte) != 0) {
      word += static_cast<char>(byte < 128 ? std::tolower(byte) : byte);
    } else {
      end_word();
    }
  }
  end_word();
  return found;
}

long count_lines(const std::string& text) {
  return static_cast<long>(std::count(text.begin(), text.end(), '\n'));
}

counts merge(counts into, const counts& from) {
  for (const auto& [word, number] : from) into[word] += number;
  return into;
}

summary summarise(const counts& words, const std::vector<long>& lines, std::size_t top) {
  summary result;
  for (const long each : lines) result.lines += each;
  result.most_frequent.assign(words.begin(), words.end());
  for (const auto& [word, number] : result.most_frequent) result.words += number;
  const auto before = [](const auto& a, const auto& b) {
    return a.second != b.second ? a.second > b.second : a.first < b.first;
  };
  std::sort(result.most_frequent.begin(), result.most_frequent.end(), before);
  result.most_frequent.resize(std::min(top, result.most_frequent.size()));
  return result;
}

std::vector<fs::path> files_in(const fs::path& folder) {
  std::error_code reason;
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder, reason)) {
    // Links are second names of files that are there.
    if (entry.is_regular_file() && !entry.is_symlink()) files.push_back(entry.path());
  }
  if (reason) throw weft::io_error(folder.string(), "list", reason);
  if (files.empty()) throw weft::error(folder.string() + ": there are no files in it");
  std::sort(files.begin(), files.end());
  return files;
}

/// What the graph computes, one after the other.
summary in_turns(const std::vector<fs::path>& files, std::size_t top) {
  counts words;
  std::vector<long> lines;
  for (const fs::path& file : files) {
    const std::string text = load(file);
    words = merge(std::move(words), count_words(text));
    lines.push_back(count_lines(text));
  }
  return summarise(words, lines, top);
}

weft::delayed_value<summary> build(const std::vector<fs::path>& files, std::size_t top) {
  std::vector<weft::delayed_value<counts>> words;
  std::vector<weft::delayed_value<long>> lines;
  for (const fs::path& file : files) {
    const auto text = weft::delayed(load, "load " + file.filename().string())(file);
    words.push_back(weft::delayed(count_words, "words")(text));
    lines.push_back(weft::delayed(count_lines, "lines")(text));
  }
  const auto merged = weft::delayed(merge, "merge");
  while (words.size() > 1) {
    std::vector<weft::delayed_value<counts>> fewer;
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) fewer.push_back(merged(words[i], words[i + 1]));
    if (words.size() % 2 != 0) fewer.push_back(words.back());
    words = std::move(fewer);
  }
  return weft::delayed(summarise, "summary")(words.front(), lines, top);
}

void write(const fs::path& file, const std::string& text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  out.close();
  if (!out) throw weft::io_error(file.string(), "write", std::error_code(errno, std::generic_category()));
}

int run(const options& chosen) {
  const std::vector<fs::path> files = files_in(chosen.folder);
  const auto graph = build(files, chosen.top);
  if (!chosen.graph.empty()) {
    write(chosen.graph, graph.graphviz());
    fmt::print("the graph is in {}; draw it with: dot -Tsvg {}\n", chosen.graph.string(),
               chosen.graph.string());
  }
  weft::thread_pool pool(chosen.threads);
  const weft::stopwatch serial_clock;
  const summary serial = in_turns(files, chosen.top);
  const double serial_seconds = serial_clock.seconds();
  const weft::stopwatch clock;
  const summary result = graph.compute(pool);
  const double seconds = clock.seconds();
  if (result != serial) {
    fmt::print(stderr, "word_count: the graph and the plain loop do not agree\n");
    return 1;
  }
  for (const auto& [word, number] : result.most_frequent) fmt::print("{:>8}  {}\n", number, word);
  fmt::print(
      "{} words in {} lines of {} files; {:.1f} ms on {} threads, {:.1f} ms in a plain loop, the same "
      "result\n",
      result.words, result.lines, files.size(), 1e3 * seconds, pool.threads(), 1e3 * serial_seconds);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  options chosen;
  CLI::App program("Counts the words of a folder of texts with a graph of delayed calls.", "word_count");
  program.option_defaults()->always_capture_default();
  program.add_option("--folder", chosen.folder, "Folder of texts");
  program.add_option("--threads", chosen.threads, "Threads, 0 for one per core")->check(CLI::Range(0, 1024));
  program.add_option("--top", chosen.top, "How many words to show")->check(CLI::Range(1, 1'000'000));
  program.add_option("--graph", chosen.graph, "Write the graph here, as Graphviz text");
  program.footer("Exit codes: 0 done, 1 it failed, 2 a wrong command line.");
  try {
    program.parse(count, arguments);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? 0 : 2;
  }
  try {
    return run(chosen);
  } catch (const std::exception& error) {
    fmt::print(stderr, "word_count: {}\n", error.what());
    return 1;
  }
}
