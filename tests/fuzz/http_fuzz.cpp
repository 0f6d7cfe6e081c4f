// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The host-compiled reader of HTTP on made-up calls. Lines of the input are calls: '<' what was
// read,
// '>' what was written, '-' a file of so many bytes sent, '.' a close; "\\n" within a line is a
// line end of HTTP. It has to stay within its bounds, end each request at most once (HttpConnection
// aborts otherwise), and not care how the bytes are cut: the same bytes one by one begin the same
// requests.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "tests/bpf_host/http_connection.h"

namespace {

using asrtrace::wire::HttpConnection;

std::string unescape(std::string_view line) {
    std::string out;
    for (std::size_t i = 0; i < line.size(); ++i) {
        const bool end = line[i] == '\\' && i + 1 < line.size() && line[i + 1] == 'n';
        out += end ? std::string("\r\n") : std::string(1, line[i]);
        i += end ? 1 : 0;
    }
    return out;
}

/// Returns false when the connection is closed.
bool call(HttpConnection& connection, std::string_view line, bool one_by_one) {
    if (line.empty()) return true;
    const std::string bytes = unescape(line.substr(1));
    const std::size_t piece = one_by_one ? 1 : bytes.size() + 1;
    switch (line[0]) {
        case '<':
            for (std::size_t at = 0; at < bytes.size(); at += piece)
                connection.read(bytes.substr(at, piece));
            return true;
        case '>':
            for (std::size_t at = 0; at < bytes.size(); at += piece)
                connection.write(bytes.substr(at, piece));
            return true;
        case '-':
            connection.sendfile(std::strtoul(bytes.c_str(), nullptr, 10) % 100000 + 1);
            return true;
        case '.':
            connection.close();
            return false;
        default:
            connection.tid = static_cast<std::uint8_t>(line[0]);
            return true;
    }
}

void run(std::string_view script, HttpConnection& connection, bool one_by_one) {
    while (!script.empty()) {
        const std::size_t end = std::min(script.find('\n'), script.size());
        if (!call(connection, script.substr(0, end), one_by_one)) return;
        script.remove_prefix(std::min(script.size(), end + 1));
    }
}

/// Strangers are told by the first bytes of a call: how those are cut matters.
bool well_behaved(const HttpConnection& connection) {
    using namespace asrtrace::wire;
    return connection.state().role == HTTP_SERVER && connection.counter(LOST_HTTP_CONFUSED) == 0;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string_view script(reinterpret_cast<const char*>(data), size);
    HttpConnection whole, pieces;
    run(script, whole, false);
    run(script, pieces, true);
    if (!script.starts_with("<GET /a HTTP/1.1\\n") || !well_behaved(whole) || !well_behaved(pieces))
        return 0;
    if (whole.requests.size() != pieces.requests.size()) std::abort();
    for (std::size_t i = 0; i < whole.requests.size(); ++i)
        if (whole.requests[i].path != pieces.requests[i].path ||
            whole.requests[i].done != pieces.requests[i].done)
            std::abort();
    return 0;
}
