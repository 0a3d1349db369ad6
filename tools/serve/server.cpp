#include "tools/serve/server.h"

#include <httplib.h>

#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tools/report/page.h"
#include "tools/report/run_files.h"
#include "tools/serve/library.h"
#include "tools/serve/page.h"

namespace strata::serve {
namespace {

namespace fs = std::filesystem;
using httplib::Request;
using httplib::Response;

constexpr const char* loopback = "127.0.0.1";

// By pieces, which the library sends as they are: whole bodies it compresses for seconds, which
// gains nothing within a machine.
void send(Response& response, std::string text, const std::string& type) {
  if (text.empty()) return response.set_content("", type);
  auto kept = std::make_shared<const std::string>(std::move(text));
  response.set_content_provider(kept->size(), type,
                                [kept](size_t offset, size_t length, httplib::DataSink& sink) {
                                  return sink.write(kept->data() + offset, length);
                                });
}

void refuse(Response& response, int status, const std::string& why) {
  response.status = status;
  response.set_content(why + "\n", "text/plain; charset=utf-8");
}

void send_file(const fs::path& root, const std::string& path, Response& response) {
  const auto file = file_inside(root, path);
  if (!file) return refuse(response, 404, "there is no such file in the folder");
  const auto type = media_type(*file);
  if (!type) return refuse(response, 403, "files of this kind are not served");
  std::ifstream in(*file, std::ios::binary);
  if (!in) return refuse(response, 403, "the file cannot be read");
  std::string text(fs::file_size(*file), '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(in.gcount()));  // a file that is being written
  send(response, std::move(text), *type);
}

void send_metrics(const fs::path& root, const Request& request, Response& response) {
  const auto file = file_inside(root, request.get_param_value("run") + "/metrics.jsonl");
  if (!file) return refuse(response, 404, "there is no such run in the folder");
  std::ifstream in(*file);
  try {
    send(response, report::read_metrics(in, "metrics.jsonl").dump(), "application/json");
  } catch (const Error& error) {
    refuse(response, 500, error.what());
  }
}

bool is_own_name(std::string host) {
  if (const size_t colon = host.rfind(':'); colon != host.npos) host.resize(colon);
  return host == loopback || host == "localhost";
}

}  // namespace

struct Server::Parts {
  fs::path root;
  httplib::Server http;
  int port = 0;
  std::thread listening;

  void route();
};

void Server::Parts::route() {
  http.set_pre_routing_handler([](const Request& request, Response& response) {
    response.set_header("X-Content-Type-Options", "nosniff");
    // What a page shows comes from this server; pages carry their own scripts.
    response.set_header("Content-Security-Policy",
                        "default-src 'self' 'unsafe-inline' data: blob:; frame-ancestors 'self'");
    response.set_header("Cache-Control", "no-cache");
    if (request.method != "GET" && request.method != "HEAD") {
      response.set_header("Allow", "GET, HEAD");
      refuse(response, 405, "only GET and HEAD");
      return httplib::Server::HandlerResponse::Handled;
    }
    if (!is_own_name(request.get_header_value("Host"))) {
      refuse(response, 403, "this server answers to 127.0.0.1 and localhost only");
      return httplib::Server::HandlerResponse::Handled;
    }
    return httplib::Server::HandlerResponse::Unhandled;
  });
  auto text = [this](const char* path, std::string_view body, const char* type) {
    http.Get(path, [body, type](const Request&, Response& response) {
      send(response, std::string(body), type);
    });
  };
  for (const char* path : {"/", "/curves", "/compare"})
    text(path, page_file("page.html"), "text/html; charset=utf-8");
  text("/serve.css", page_file("serve.css"), "text/css; charset=utf-8");
  text("/serve.js", page_file("serve.js"), "text/javascript; charset=utf-8");
  text("/d3.js", report::page_file("d3.js"), "text/javascript; charset=utf-8");
  http.Get("/api/runs", [this](const Request&, Response& response) {
    const auto list = to_json(find_entries(root));
    send(response, list.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
         "application/json");
  });
  http.Get("/api/metrics", [this](const Request& request, Response& response) {
    send_metrics(root, request, response);
  });
  http.Get("/files/(.*)", [this](const Request& request, Response& response) {
    send_file(root, request.matches[1], response);
  });
}

Server::Server(const fs::path& folder, int port, Caller at) : parts_(std::make_unique<Parts>()) {
  if (!fs::is_directory(folder))
    fail("serve", at, "there is no folder {}; give one that holds runs", folder.string());
  parts_->root = fs::canonical(folder);
  // Not the library's default, which lets two servers share a port.
  parts_->http.set_socket_options([](socket_t socket) {
    const int yes = 1;
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  parts_->http.new_task_queue = [] { return new httplib::ThreadPool(4); };
  parts_->route();
  if (port == 0) {
    parts_->port = parts_->http.bind_to_any_port(loopback);
  } else if (parts_->http.bind_to_port(loopback, port)) {
    parts_->port = port;
  }
  if (parts_->port <= 0)
    fail("serve", at,
         "cannot listen on {}:{}: it is in use, or may not be; choose another --port, or --port 0 "
         "for any that is free",
         loopback, port);
  parts_->listening = std::thread([this] { parts_->http.listen_after_bind(); });
  // Before that the library's stop() would be forgotten.
  while (!parts_->http.is_running()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

Server::~Server() {
  parts_->http.stop();
  parts_->listening.join();
}

int Server::port() const { return parts_->port; }

}  // namespace strata::serve
