// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// A listening TCP socket that outlives the process that accepts on it.
#pragma once

#include <string>

namespace asr {

struct Listener {
    int fd;
    int port;
};

/// Binds to `host`:`port` (0: any free port) and listens. Not with SO_REUSEPORT: that would let
/// two workers share one port, each with half of the requests. Throws std::runtime_error.
Listener listen_on(const std::string& host, int port);

}  // namespace asr
