// Server: the reports of a folder in a browser of this machine.
//
// It listens on 127.0.0.1 only, answers GET and HEAD only, writes nothing, and reads files below
// the folder only. A request whose Host is not this machine's own name for itself is refused, so
// that no page of the web can reach it through a name that it points here (DNS rebinding).
#pragma once

#include <filesystem>
#include <memory>

#include "engine/error.h"

namespace strata::serve {

class Server {
 public:
  // Answers from now on, in threads of its own, until it is destroyed. Port 0: any free one. A
  // missing folder or a port in use is an error.
  Server(const std::filesystem::path& folder, int port, Caller at = Caller::here());
  ~Server();

  int port() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace strata::serve
