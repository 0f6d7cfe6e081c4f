// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A connection of a made-up server, and what the reader of HTTP made of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tests/bpf_host/http.h"

namespace asrtrace::wire {

struct SeenRequest {
    std::uint64_t id = 0;
    std::uint64_t begin_ns = 0;
    std::string method{}, path{};
    std::uint32_t tid = 0;
    bool done = false;
    std::uint32_t outcome = 0, status = 0;
    std::uint64_t body_bytes = 0, response_bytes = 0;
};

class HttpConnection {
  public:
    HttpConnection();
    HttpConnection(const HttpConnection&) = delete;
    HttpConnection& operator=(const HttpConnection&) = delete;

    /// One call a string; an empty string is no call.
    void read(std::string_view bytes) { call(HTTP_IN, {bytes}); }
    void write(std::string_view bytes) { call(HTTP_OUT, {bytes}); }
    void readv(const std::vector<std::string_view>& parts) { call(HTTP_IN, parts); }
    void writev(const std::vector<std::string_view>& parts) { call(HTTP_OUT, parts); }
    void sendfile(std::uint64_t bytes);
    void end_output() { host_http_end_output(&http_); }
    void close() { host_http_close(&http_); }

    std::uint64_t counter(std::uint32_t index) const { return http_.counters[index]; }
    const http_conn& state() const { return http_.conn; }

    std::uint32_t tid = 1;  ///< of the next calls
    std::uint64_t now_ns = 0;
    std::vector<SeenRequest> requests;
    std::vector<std::uint64_t> moved;

  private:
    void call(std::uint32_t direction, const std::vector<std::string_view>& parts);

    host_http http_{};
};

}  // namespace asrtrace::wire
