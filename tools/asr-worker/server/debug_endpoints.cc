// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/debug_endpoints.h"

#include <malloc.h>

#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

namespace asr {
namespace {

// RssAnon of /proc/self/status in bytes, -1 if it cannot be read.
std::int64_t rss_anon_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        std::int64_t kibibytes = 0;
        if (word == "RssAnon:" && status >> kibibytes) return kibibytes * 1024;
    }
    return -1;
}

// Takes a content reader that it does not use: `curl -X POST` sends no body and no length, and
// httplib would wait for either.
void trim(const httplib::Request&, httplib::Response& response, const httplib::ContentReader&) {
    const auto before = rss_anon_bytes();
    const int released = malloc_trim(0);
    const nlohmann::json body = {{"released", released == 1},
                                 {"rss_anon_before", before},
                                 {"rss_anon_after", rss_anon_bytes()}};
    response.set_content(body.dump(), "application/json");
}

void tell_mallinfo(const httplib::Request&, httplib::Response& response) {
    const struct mallinfo2 info = mallinfo2();
    const nlohmann::json body = {
        {"arena", info.arena},       {"ordblks", info.ordblks},   {"smblks", info.smblks},
        {"hblks", info.hblks},       {"hblkhd", info.hblkhd},     {"fsmblks", info.fsmblks},
        {"uordblks", info.uordblks}, {"fordblks", info.fordblks}, {"keepcost", info.keepcost}};
    response.set_content(body.dump(), "application/json");
}

}  // namespace

void install_debug_endpoints(httplib::Server& server) {
    server.Post("/debug/trim", httplib::Server::HandlerWithContentReader(trim));
    server.Get("/debug/mallinfo", tell_mallinfo);
}

}  // namespace asr
