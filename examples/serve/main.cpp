// Serves a network over HTTP until SIGTERM or Ctrl-C.

#include "garments.hpp"
#include "options.hpp"
#include "page_parts.hpp"

#include <fmt/format.h>

#include <chrono>     // for std::chrono::seconds
#include <cstdio>     // for stdout, stderr
#include <exception>  // for std::exception
#include <string>     // for std::string
#include <utility>    // for std::move
#include <variant>    // for std::get_if
#include <weft/serve/server.hpp>

namespace {

int serve(const garments::options& chosen) {
  const garments::images data = garments::load_images(chosen.data);
  weft::inference_server server(
      {.address = chosen.address,
       .port = chosen.port,
       .threads = chosen.threads,
       .tls = {.certificate_chain = chosen.certificate, .private_key = chosen.key},
       .bearer_token = chosen.token,
       .pages = {{"/", "text/html; charset=utf-8", std::string(garments::page_html)},
                 {"/page.css", "text/css", std::string(garments::page_css)},
                 {"/page.js", "text/javascript", std::string(garments::page_js)},
                 {"/samples.json", "application/json", garments::samples_json(data)}}});
  server.load(garments::make_model(chosen, data));
  fmt::print("serving at {}://{}:{}/ until Ctrl-C\n", chosen.certificate.empty() ? "http" : "https",
             chosen.address, server.port());
  std::fflush(stdout);
  const bool clean = server.serve_until_signal(std::chrono::seconds(chosen.patience_s));
  fmt::print("{}\n", clean ? "every request has been answered" : "some requests were not answered in time");
  return clean ? 0 : 1;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    const auto parsed = garments::parse_options(count, arguments);
    if (const int* code = std::get_if<int>(&parsed)) return *code;
    return serve(std::get<garments::options>(parsed));
  } catch (const std::exception& failure) {
    fmt::print(stderr, "serve: {}\n", failure.what());
    return 1;
  }
}
