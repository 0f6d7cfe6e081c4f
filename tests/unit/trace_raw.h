// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Records of the ring as the kernel side writes them, for traces that keep them.
#pragma once

#include <cstring>
#include <string>
#include <vector>

#include "bpf/event.h"
#include "user/base/bytes.h"
#include "user/trace/writer.h"

namespace asrtrace::trace {

constexpr std::uint64_t kRawStartNs = 5'000'000'000;

/// Makes records of one thread, a microsecond apart.
class RawScript {
  public:
    template <typename Use>
    void alloc(std::uint64_t address, std::uint64_t size, std::uint64_t stack, Use use) {
        wire::ev_alloc record{};
        record.address = address;
        record.size = size;
        record.stack = stack;
        record.function = wire::FN_MALLOC;
        send(record, wire::EV_ALLOC, use);
    }
    template <typename Use>
    void free(std::uint64_t address, Use use) {
        wire::ev_free record{};
        record.address = address;
        send(record, wire::EV_FREE, use);
    }
    template <typename Use>
    void mark(std::uint64_t id, bool done, Use use) {
        wire::ev_request record{};
        record.id = id;
        send(record, done ? wire::EV_REQUEST_DONE : wire::EV_REQUEST_BEGIN, use);
    }
    template <typename Use>
    void http(std::uint64_t id, const std::string& path, Use use) {
        wire::ev_http_begin record{};
        record.id = id;
        record.begin_ns = now_ns_;
        std::memcpy(record.method, "POST", 4);
        record.path_bytes = static_cast<std::uint32_t>(path.size());
        std::memcpy(record.path, path.data(), path.size());
        send(record, wire::EV_HTTP_BEGIN, use);
    }
    std::uint64_t now_ns() const { return now_ns_; }

  private:
    template <typename Record, typename Use>
    void send(Record& record, wire::ev_tag tag, Use use) {
        record.h = {.tag = static_cast<std::uint8_t>(tag),
                    .flags = 0,
                    .process = 0,
                    .tid = 7,
                    .time_ns = now_ns_ += 1000};
        use(Bytes{reinterpret_cast<const std::uint8_t*>(&record), sizeof(record)});
    }
    std::uint64_t now_ns_ = kRawStartNs;
};

/// `requests` requests of three blocks each, of which one is never freed.
template <typename Use>
void raw_requests(std::uint64_t requests, Use use) {
    RawScript script;
    std::uint64_t address = 0x10000;
    for (std::uint64_t id = 1; id <= requests; ++id) {
        script.mark(id, false, use);
        for (std::uint64_t block = 0; block < 3; ++block)
            script.alloc(address += 4096, 100 + block, 0xabc0 + block, use);
        script.free(address, use);
        script.free(address - 4096, use);
        script.mark(id, true, use);
    }
}

/// Before the first commit: such records in blocks of the trace, and a path that is no CSV.
inline void write_raw_events(Writer& writer) {
    (void)writer.keep_raw_events(1 << 20, kRawStartNs);
    for (std::uint32_t block = 0; block < 3; ++block)
        writer.add_raw_stack(StackId(1 + block), 0xabc0 + block);
    const auto add = [&](Bytes record) { writer.add_raw_event(record); };
    raw_requests(20, add);
    RawScript().http(1, "/a,\"b\"\x1b[31m", add);
}

}  // namespace asrtrace::trace
