// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/bpf_host/http_connection.h"

#include <cstdlib>

namespace asrtrace::wire {
namespace {

std::string text_of(const __u8* bytes, std::size_t size) {
    return {reinterpret_cast<const char*>(bytes), size};
}

void on_begin(void* self, const http_conn* conn, __u64 id) {
    auto& connection = *static_cast<HttpConnection*>(self);
    if (conn->path_bytes > HTTP_PATH_BYTES) std::abort();
    connection.requests.push_back({.id = id,
                                   .begin_ns = conn->begin_ns,
                                   .method = text_of(conn->method, HTTP_METHOD_BYTES).c_str(),
                                   .path = text_of(conn->path, conn->path_bytes),
                                   .tid = conn->owner});
}

void on_done(void* self, const http_conn* conn, __u64 id, __u64 body_bytes, __u32 outcome) {
    for (SeenRequest& request : static_cast<HttpConnection*>(self)->requests) {
        if (request.id != id || request.done) continue;
        request.done = true;
        request.outcome = outcome;
        request.status = conn->machine[HTTP_OUT].status;
        request.body_bytes = body_bytes;
        request.response_bytes = conn->response_bytes;
        return;
    }
    std::abort();  // an end without a beginning, or twice
}

void on_moved(void* self, __u64 id) {
    static_cast<HttpConnection*>(self)->moved.push_back(id);
}

}  // namespace

HttpConnection::HttpConnection() {
    http_.conn.number = 1;
    http_.self = this;
    http_.begin = on_begin;
    http_.done = on_done;
    http_.moved = on_moved;
}

void HttpConnection::call(std::uint32_t direction, const std::vector<std::string_view>& parts) {
    std::vector<http_iovec> buffers;
    std::size_t total = 0;
    for (const std::string_view part : parts) {
        buffers.push_back({reinterpret_cast<__u64>(part.data()), part.size()});
        total += part.size();
    }
    if (total == 0) return;  // such calls are not looked at
    now_ns += 1000;
    host_http_call(&http_, direction, buffers.data(), static_cast<__u32>(buffers.size()), tid,
                   now_ns);
}

void HttpConnection::sendfile(std::uint64_t bytes) {
    const http_iovec buffer{0, bytes};
    now_ns += 1000;
    host_http_call(&http_, HTTP_OUT, &buffer, 1, tid, now_ns);
}

}  // namespace asrtrace::wire
