// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Typed events: what the ledger understands, independent of how the kernel side packs them.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <variant>

#include "user/base/bytes.h"

namespace asrtrace::decode {

/// Key of a stack in the kernel's map; 0 is "none could be taken".
using StackKey = std::uint64_t;

/// 0: the target; followed children count from 1.
using ProcessNumber = std::uint16_t;

enum class Function : std::uint8_t {
    kNone,
    kMalloc,
    kCalloc,
    kRealloc,
    kMemalign,
    kPosixMemalign,
    kValloc,
    kPvalloc,
    kFree,
    kAlignedAlloc,
};

/// The C name: "posix_memalign"; empty for kNone.
std::string_view function_name(Function function);

/// How a block came to be followed.
enum class Sampling : std::uint8_t {
    kAll,     ///< every block is
    kByMean,  ///< by bytes, at the tier's mean
    kRaised,  ///< with probability size / kRaisedSampleBytes, at most 1
};
constexpr std::uint64_t kRaisedSampleBytes = 4096;

struct Alloc {
    std::uint64_t address = 0;  ///< 0: the call failed
    std::uint64_t size = 0;     ///< bytes as asked
    StackKey stack = 0;
    Function function = Function::kMalloc;
    Sampling sampling = Sampling::kAll;
};

struct Free {
    std::uint64_t address = 0;
};

struct ReallocBegin {
    std::uint64_t old_address = 0;
};

struct ReallocEnd {
    std::uint64_t old_address = 0;  ///< 0: realloc(NULL), or an old block that is not followed
    std::uint64_t address = 0;      ///< 0: failed, freed, or a new block that is not followed
    std::uint64_t size = 0;
    StackKey stack = 0;
    Sampling sampling = Sampling::kAll;
    bool failed = false;  ///< the old block is still there
};

struct Map {
    std::uint64_t address = 0;
    std::uint64_t length = 0;
    StackKey stack = 0;
    std::int32_t fd = -1;
    std::uint32_t prot = 0;
    std::uint32_t map_flags = 0;
};

struct UnmapBegin {
    std::uint64_t address = 0;
    std::uint64_t length = 0;
};

struct UnmapEnd {
    bool succeeded = false;
};

/// munmap succeeded. Told behind the call: another thread may have been given the range already.
struct Unmap {
    std::uint64_t address = 0;
    std::uint64_t length = 0;
};

struct Remap {
    std::uint64_t old_address = 0;
    std::uint64_t old_length = 0;
    std::uint64_t new_length = 0;
    std::uint64_t map_flags = 0;
    StackKey stack = 0;
    std::uint64_t new_address = 0;  ///< at the end; 0: failed
    bool end = false;
    bool alone = false;  ///< there was no beginning: told behind the call, as Unmap is
};

struct Brk {
    std::uint64_t old_brk = 0;
    std::uint64_t brk = 0;
    StackKey stack = 0;
};

struct Advise {
    std::uint64_t address = 0;
    std::uint64_t length = 0;
    std::uint64_t advice = 0;
};

struct Fault {
    std::uint64_t address = 0;
    StackKey stack = 0;
    std::uint32_t pages = 0;
    bool kernel_mode = false;
    std::uint32_t mean_shift = 0;  ///< sampled by the usual mean << this, at most 15
};

struct RequestMark {
    bool done = false;
    std::uint64_t id = 0;
    std::array<std::uint64_t, 2> args{};
};

/// A request that was seen on a socket. Views point into the record and end with it.
struct HttpMark {
    enum class Kind : std::uint8_t { kBegin, kMoved, kDone } kind = Kind::kBegin;
    enum class Outcome : std::uint8_t { kServed, kAborted, kConfused } outcome = Outcome::kServed;
    std::uint64_t id = 0;              ///< unique in a recording
    std::uint64_t begin_ns = 0;        ///< begin: when its first byte was read
    std::uint64_t body_bytes = 0;      ///< done
    std::uint64_t response_bytes = 0;  ///< done: the response's body
    std::uint32_t status = 0;          ///< done; 0: no response was begun
    std::string_view method{};         ///< begin
    std::string_view path{};           ///< begin: without the query, cut
};

struct Task {
    enum class Kind : std::uint8_t { kFork, kExec, kExit, kOom } kind = Kind::kExit;
    std::uint32_t pid = 0;       ///< fork: the child
    std::int32_t exit_code = 0;  ///< exit: the thread's, of the last one the process's
    ProcessNumber child = 0;     ///< fork; 0: it is not followed
    bool process_ended = false;  ///< exit: it was the last thread; may come twice
};

/// A stack was met for the first time; its process is there for as long as this event is.
struct NewStack {
    StackKey stack = 0;
};

using Payload =
    std::variant<Alloc, Free, ReallocBegin, ReallocEnd, Map, UnmapBegin, UnmapEnd, Unmap, Remap,
                 Brk, Advise, Fault, RequestMark, HttpMark, Task, NewStack>;

struct Event {
    std::uint64_t time_ns = 0;  ///< CLOCK_MONOTONIC
    std::uint32_t tid = 0;
    Payload payload;
    ProcessNumber process = 0;
};

/// One record of the ring (layout: bpf/event.h); nothing if its tag is unknown or it is too short.
std::optional<Event> decode(Bytes record);

}  // namespace asrtrace::decode
