// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <cstddef>

#include "bpf/event.h"
#include "user/decode/event.h"

namespace asrtrace::decode {
namespace {

static_assert(kRaisedSampleBytes == RAISED_SAMPLE_BYTES);

Sampling sampling_of(unsigned flags) {
    if ((flags & wire::EV_SAMPLED) == 0) return Sampling::kAll;
    return (flags & wire::EV_RAISED) != 0 ? Sampling::kRaised : Sampling::kByMean;
}

std::optional<Payload> decode_alloc(const wire::ev_alloc& record) {
    if (record.function >= wire::FN_COUNT) return std::nullopt;
    return Alloc{record.address, record.size, record.stack, static_cast<Function>(record.function),
                 sampling_of(record.h.flags)};
}

std::optional<Payload> decode_realloc_end(const wire::ev_realloc_end& record) {
    return ReallocEnd{record.old_address,
                      record.address,
                      record.size,
                      record.stack,
                      sampling_of(record.h.flags),
                      (record.h.flags & wire::EV_FAILED) != 0};
}

std::optional<Payload> decode_mmap(const wire::ev_mmap& record) {
    return Map{record.address, record.length, record.stack,
               record.fd,      record.prot,   record.map_flags};
}

std::optional<Payload> decode_mremap(const wire::ev_mremap& record) {
    // The kernel returns -errno as the top 4095 values.
    const bool failed = record.result < 0 && record.result >= -4095;
    return Remap{record.old_address,
                 record.old_length,
                 record.new_length,
                 record.map_flags,
                 record.stack,
                 failed ? 0 : static_cast<std::uint64_t>(record.result),
                 record.h.tag != wire::EV_MREMAP_BEGIN,
                 record.h.tag == wire::EV_MREMAP};
}

std::optional<Payload> decode_task(const wire::ev_task& record) {
    Task task{.pid = record.pid};
    switch (record.h.tag) {
        case wire::EV_FORK:
            task.kind = Task::Kind::kFork;
            task.child = static_cast<ProcessNumber>(record.value);
            break;
        case wire::EV_EXEC:
            task.kind = Task::Kind::kExec;
            break;
        case wire::EV_OOM:
            task.kind = Task::Kind::kOom;
            break;
        default:
            task.exit_code = record.value;
            task.process_ended = (record.h.flags & wire::EV_PROCESS_ENDED) != 0;
            break;
    }
    return task;
}

std::optional<Payload> decode_http_begin(Bytes bytes) {
    // Not by value: the views have to outlive this function.
    constexpr std::size_t kMethodAt = offsetof(wire::ev_http_begin, method);
    constexpr std::size_t kPathAt = offsetof(wire::ev_http_begin, path);
    const auto record = read_at<wire::ev_http_begin>(bytes, 0);
    if (!record || record->path_bytes > wire::HTTP_PATH_BYTES) return std::nullopt;
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    const std::string_view method = text.substr(kMethodAt, wire::HTTP_METHOD_BYTES);
    return HttpMark{.id = record->id,
                    .begin_ns = record->begin_ns,
                    .method = method.substr(0, method.find('\0')),
                    .path = text.substr(kPathAt, record->path_bytes)};
}

std::optional<Payload> decode_http_done(const wire::ev_http_done& record) {
    if (record.outcome > wire::HTTP_CONFUSED) return std::nullopt;
    return HttpMark{.kind = HttpMark::Kind::kDone,
                    .outcome = static_cast<HttpMark::Outcome>(record.outcome),
                    .id = record.id,
                    .body_bytes = record.body_bytes,
                    .response_bytes = record.response_bytes,
                    .status = record.status};
}

/// Reads a record of type T and hands it on; nothing if the bytes do not hold one.
template <typename T, typename Convert>
std::optional<Payload> with(Bytes bytes, Convert convert) {
    const auto record = read_at<T>(bytes, 0);
    if (!record) return std::nullopt;
    return convert(*record);
}

std::optional<Payload> decode_range(Bytes bytes, std::uint16_t tag) {
    return with<wire::ev_range>(bytes, [tag](const wire::ev_range& r) -> std::optional<Payload> {
        if (tag == wire::EV_MUNMAP_BEGIN) return UnmapBegin{r.address, r.length};
        if (tag == wire::EV_MUNMAP) return Unmap{r.address, r.length};
        return Advise{r.address, r.length, r.argument};
    });
}

std::optional<Payload> decode_free(Bytes bytes, std::uint16_t tag) {
    return with<wire::ev_free>(bytes, [tag](const wire::ev_free& r) -> std::optional<Payload> {
        if (tag == wire::EV_FREE) return Free{r.address};
        return ReallocBegin{r.address};
    });
}

std::optional<Payload> decode_payload(Bytes bytes, std::uint16_t tag) {
    switch (tag) {
        case wire::EV_ALLOC:
            return with<wire::ev_alloc>(bytes, decode_alloc);
        case wire::EV_FREE:
        case wire::EV_REALLOC_BEGIN:
            return decode_free(bytes, tag);
        case wire::EV_REALLOC_END:
            return with<wire::ev_realloc_end>(bytes, decode_realloc_end);
        case wire::EV_MMAP:
            return with<wire::ev_mmap>(bytes, decode_mmap);
        case wire::EV_MUNMAP_BEGIN:
        case wire::EV_MUNMAP:
        case wire::EV_MADVISE:
            return decode_range(bytes, tag);
        case wire::EV_MUNMAP_END:
            return with<wire::ev_result>(bytes,
                                         [](const auto& r) { return UnmapEnd{r.result == 0}; });
        case wire::EV_MREMAP_BEGIN:
        case wire::EV_MREMAP_END:
        case wire::EV_MREMAP:
            return with<wire::ev_mremap>(bytes, decode_mremap);
        case wire::EV_BRK:
            return with<wire::ev_brk>(bytes, [](const auto& r) {
                return Brk{r.old_brk, r.brk, r.stack};
            });
        case wire::EV_FAULT:
            return with<wire::ev_fault>(bytes, [](const auto& r) {
                return Fault{r.address, r.stack, r.pages, r.kernel_mode != 0,
                             static_cast<std::uint32_t>(r.mean_shift & wire::FAULT_SHIFT_MASK)};
            });
        case wire::EV_REQUEST_BEGIN:
        case wire::EV_REQUEST_DONE:
            return with<wire::ev_request>(bytes, [tag](const auto& r) {
                return RequestMark{tag == wire::EV_REQUEST_DONE, r.id, {r.args[0], r.args[1]}};
            });
        case wire::EV_HTTP_BEGIN:
            return decode_http_begin(bytes);
        case wire::EV_HTTP_DONE:
            return with<wire::ev_http_done>(bytes, decode_http_done);
        case wire::EV_HTTP_MOVED:
            return with<wire::ev_http_moved>(bytes, [](const auto& r) {
                return HttpMark{.kind = HttpMark::Kind::kMoved, .id = r.id};
            });
        case wire::EV_FORK:
        case wire::EV_EXEC:
        case wire::EV_EXIT:
        case wire::EV_OOM:
            return with<wire::ev_task>(bytes, decode_task);
        case wire::EV_STACK:
            return with<wire::ev_stack>(bytes, [](const auto& r) { return NewStack{r.stack}; });
        default:
            return std::nullopt;
    }
}

}  // namespace

std::string_view function_name(Function function) {
    static constexpr std::array<std::string_view, wire::FN_COUNT> kNames{
        "",       "malloc",  "calloc", "realloc",      "memalign", "posix_memalign",
        "valloc", "pvalloc", "free",   "aligned_alloc"};
    return kNames[static_cast<std::size_t>(function)];
}

std::optional<Event> decode(Bytes record) {
    const auto header = read_at<wire::ev_header>(record, 0);
    if (!header) return std::nullopt;
    auto payload = decode_payload(record, header->tag);
    if (!payload) return std::nullopt;
    return Event{header->time_ns, header->tid, *payload, header->process};
}

}  // namespace asrtrace::decode
