// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/raw_csv.h"

#include <fmt/core.h>

#include <algorithm>
#include <variant>

#include "user/base/escape.h"
#include "user/base/quantity.h"

namespace asrtrace::report {
namespace {

/// What of a line depends on the kind of event. Zero: it has none, the field stays empty.
struct Fields {
    std::string event{};
    std::uint64_t address = 0;
    std::optional<std::uint64_t> size{};
    std::uint64_t old_address = 0;
    std::string detail{};
};

const char* sampling_detail(decode::Sampling sampling) {
    switch (sampling) {
        case decode::Sampling::kAll:
            return "";
        case decode::Sampling::kByMean:
            return "sampled=mean";
        case decode::Sampling::kRaised:
            return "sampled=raised";
    }
    return "";
}

struct FieldsOf {
    Fields operator()(const decode::Alloc& e) const {
        return {.event = std::string(decode::function_name(e.function)),
                .address = e.address,
                .size = e.size,
                .detail = sampling_detail(e.sampling)};
    }
    Fields operator()(const decode::Free& e) const {
        return {.event = "free", .address = e.address};
    }
    Fields operator()(const decode::ReallocBegin& e) const {
        return {.event = "realloc_begin", .old_address = e.old_address};
    }
    Fields operator()(const decode::ReallocEnd& e) const {
        return {.event = "realloc",
                .address = e.address,
                .size = e.size,
                .old_address = e.old_address,
                .detail = e.failed ? "failed=1" : sampling_detail(e.sampling)};
    }
    Fields operator()(const decode::Map& e) const {
        return {.event = "mmap",
                .address = e.address,
                .size = e.length,
                .detail = fmt::format("prot={} flags={} fd={}", e.prot, e.map_flags, e.fd)};
    }
    Fields operator()(const decode::UnmapBegin& e) const {
        return {.event = "munmap_begin", .address = e.address, .size = e.length};
    }
    Fields operator()(const decode::UnmapEnd& e) const {
        return {.event = "munmap", .detail = e.succeeded ? "" : "failed=1"};
    }
    Fields operator()(const decode::Unmap& e) const {
        return {.event = "munmap", .address = e.address, .size = e.length};
    }
    Fields operator()(const decode::Remap& e) const {
        return {.event = e.end ? "mremap" : "mremap_begin",
                .address = e.new_address,
                .size = e.new_length,
                .old_address = e.old_address,
                .detail = fmt::format("old_size={} flags={}{}", e.old_length, e.map_flags,
                                      e.end && e.new_address == 0 ? " failed=1" : "")};
    }
    Fields operator()(const decode::Brk& e) const {
        return {.event = "brk", .address = e.brk, .old_address = e.old_brk};
    }
    Fields operator()(const decode::Advise& e) const {
        return {.event = "madvise",
                .address = e.address,
                .size = e.length,
                .detail = fmt::format("advice={}", e.advice)};
    }
    Fields operator()(const decode::Fault& e) const {
        return {.event = "fault",
                .address = e.address,
                .detail = fmt::format("pages={} kernel={:d} thinned={}", e.pages, e.kernel_mode,
                                      1U << e.mean_shift)};
    }
    Fields operator()(const decode::RequestMark& e) const {
        return {.event = e.done ? "request_done" : "request_begin",
                .detail = fmt::format("id={} arg0={} arg1={}", e.id, e.args[0], e.args[1])};
    }
    Fields operator()(const decode::HttpMark& e) const {
        using Kind = decode::HttpMark::Kind;
        if (e.kind == Kind::kMoved)
            return {.event = "http_moved", .detail = fmt::format("id={}", e.id)};
        if (e.kind == Kind::kBegin)
            return {.event = "http_begin",
                    .detail = fmt::format("id={} method={} path={}", e.id, e.method, e.path)};
        return {.event = "http_done",
                .detail = fmt::format("id={} status={} body_bytes={} response_bytes={}", e.id,
                                      e.status, e.body_bytes, e.response_bytes)};
    }
    Fields operator()(const decode::Task& e) const {
        using Kind = decode::Task::Kind;
        const char* name = e.kind == Kind::kFork   ? "fork"
                           : e.kind == Kind::kExec ? "exec"
                           : e.kind == Kind::kOom  ? "oom"
                                                   : "exit";
        return {.event = name, .detail = fmt::format("pid={} status={}", e.pid, e.exit_code)};
    }
    Fields operator()(const decode::NewStack&) const { return {.event = "stack"}; }
};

struct StackOf {
    template <typename Payload>
    decode::StackKey operator()(const Payload& payload) const {
        if constexpr (requires { payload.stack; }) return payload.stack;
        return 0;
    }
};

std::string address_field(std::uint64_t address) {
    return address == 0 ? "" : hex(address);
}

/// Quoted if it must be, harmless in any case: paths come from the target's clients.
std::string text_field(const std::string& text) {
    std::string clean = escape_invalid(text);
    if (clean.find_first_of(",\"") == std::string::npos) return clean;
    std::string quoted = "\"";
    for (const char c : clean) quoted += c == '"' ? "\"\"" : std::string(1, c);
    return quoted + '"';
}

}  // namespace

std::string raw_csv_header() {
    return "time_ns,process,tid,event,address,size,old_address,stack,detail\n";
}

std::string raw_csv_line(const decode::Event& event, std::optional<StackId> stack,
                         std::uint64_t start_ns) {
    const Fields fields = std::visit(FieldsOf{}, event.payload);
    return fmt::format(
        "{},{},{},{},{},{},{},{},{}\n", event.time_ns - std::min(event.time_ns, start_ns),
        event.process, event.tid, fields.event, address_field(fields.address),
        fields.size ? std::to_string(*fields.size) : "", address_field(fields.old_address),
        stack ? std::to_string(stack->value) : "", text_field(fields.detail));
}

decode::StackKey stack_key_of(const decode::Event& event) {
    return std::visit(StackOf{}, event.payload);
}

}  // namespace asrtrace::report
