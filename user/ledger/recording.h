// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The records between the ledger and everything to its right. The ledger emits them epoch by epoch,
// the trace stores them, and classify and report read them back as one Recording: a live run and a
// replay of its trace go through the same bytes.
//
//   ledger --EpochRecord--> trace::Writer --file--> trace::Reader --Recording--> classify, report
//
// All sizes are bytes, all times nanoseconds since the window began (CLOCK_MONOTONIC minus its
// start) unless the name says otherwise.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "user/base/ids.h"
#include "user/base/interval.h"

namespace asrtrace::ledger {

/// One line of a stack, symbolized. Strings are as the target gave them: escape before printing.
struct Frame {
    std::string function;  ///< demangled, whole; empty if unknown
    std::string file;      ///< empty if unknown
    std::uint32_t line = 0;
    std::string module;  ///< path as in maps, "[vdso]", "[jit]"; empty if unknown
    std::uint64_t module_offset = 0;
    bool inlined = false;
    auto operator<=>(const Frame&) const = default;
};

/// How much a stack can be trusted (bits; ABI of bpf/event.h's STACK_*).
enum StackFlag : std::uint32_t {
    kStackTruncated = 1,    ///< not walked to the root
    kStackHeuristic = 2,    ///< passed through code without unwind tables
    kStackFailed = 4,       ///< no stack at all: the row [unknown]
    kStackBeforeAttach = 8  ///< memory from before the attach: the row [before attach]
};

struct Stack {
    StackId id;
    std::uint32_t flags = 0;
    std::vector<FrameId> frames;  ///< leaf first, inline frames expanded
};

enum class SiteKind : std::uint8_t {
    kHeap = 0,    ///< the allocation functions
    kMapped = 1,  ///< mmap and brk of the program itself and of its allocator
    kFault = 2,   ///< memory touched for the first time
};

/// One site over one epoch: flows are sums over the epoch, levels hold at its end. Estimates when
/// the tier samples (weights applied), exact otherwise. Written only for epochs in which a site
/// changed; levels carry over the gaps.
struct SiteEpoch {
    SiteKind kind = SiteKind::kHeap;
    StackId stack;
    std::uint64_t allocated_bytes = 0;  ///< flow; for kFault bytes touched
    std::uint64_t allocated_blocks = 0;
    std::uint64_t freed_bytes = 0;  ///< flow
    std::uint64_t freed_blocks = 0;
    std::uint64_t live_bytes = 0;  ///< level
    std::uint64_t live_blocks = 0;
    std::uint64_t outlived_bytes = 0;  ///< level: live bytes whose request has ended
    std::uint64_t outlived_blocks = 0;
    std::uint64_t late_freed_bytes = 0;  ///< flow: freed after having outlived their request
    std::uint64_t late_freed_blocks = 0;
    std::uint64_t unreachable_bytes = 0;   ///< level: outlived, and nothing pointed to them when
    std::uint64_t unreachable_blocks = 0;  ///< reachability was looked at last
    std::uint64_t retracted_blocks = 0;    ///< flow: freed after having been called unreachable
    // Level, of kHeap: what of outlived_* followed children hold, where nobody looks at
    // reachability.
    std::uint64_t followed_bytes = 0;
    std::uint64_t followed_blocks = 0;
};

struct Epoch {
    std::uint64_t end_ns = 0;
    std::uint64_t requests = 0;   ///< completed since the window began, at the epoch's end
    std::uint32_t in_flight = 0;  ///< requests running at that moment
    /// How many different values each USDT covariate had in completed requests so far.
    std::array<std::uint64_t, 2> distinct_args{};
};

/// What the ledger hands over when an epoch closes.
struct EpochRecord {
    Epoch epoch;
    std::vector<SiteEpoch> sites;
};

/// Number of a URL path, index of Recording::paths; 0: of no request, or requests have no paths.
using PathIndex = std::uint16_t;

struct Request {
    RequestId id;
    std::uint64_t begin_ns = 0;
    std::uint64_t end_ns = 0;
    std::uint32_t tid = 0;
    std::uint64_t external_id = 0;  ///< the target's own number, 0 if it has none
    /// Covariates. USDT: input bytes, frames; HTTP: body bytes, number of the path; 0 if none.
    std::array<std::uint64_t, 2> args{};
    std::uint64_t response_bytes = 0;  ///< HTTP, not in the trace (the sum by path is)
    std::int64_t status = 0;
    std::uint64_t events = 0;  ///< memory events charged to it
    std::uint64_t allocated_bytes = 0;
    std::uint64_t outlived_bytes = 0;  ///< of these, live when it ended
};

/// What surrounds the resident memory of a sample: pages that are in none of its classes, the
/// machine, the control group. Nothing where the kernel does not say.
struct Surroundings {
    std::uint64_t t_ns = 0;
    std::uint64_t page_tables_kb = 0, huge_pages_kb = 0;  ///< of the process (hugetlbfs)
    std::uint64_t mem_free_kb = 0, cached_kb = 0, shmem_kb = 0, slab_reclaimable_kb = 0;
    std::uint64_t swap_total_kb = 0, swap_free_kb = 0;
    std::optional<std::uint64_t> cgroup_max_bytes, cgroup_oom_kills, cgroup_stalled_us;
};

/// One procfs sample (kB as procfs prints them).
struct ProcSample {
    std::uint64_t t_ns = 0;
    std::int64_t unix_seconds = 0;
    std::uint64_t vm_rss_kb = 0, rss_anon_kb = 0, rss_file_kb = 0, rss_shmem_kb = 0, vm_swap_kb = 0;
    std::uint64_t pss_kb = 0;
    std::uint64_t mem_available_kb = 0, mem_total_kb = 0;
    std::optional<std::uint64_t> cgroup_current_bytes;
    std::uint32_t threads = 0;
    std::optional<Surroundings> around;  ///< nothing in traces up to format 3
};

/// Resident anonymous bytes by class; with `unexplained` they add up to all of them.
struct Books {
    std::uint64_t heap_live = 0;
    std::uint64_t heap_retained = 0;
    std::uint64_t heap_overhead = 0;
    std::uint64_t stack = 0;
    std::uint64_t anon_mapped = 0;
    std::uint64_t image = 0;
    std::int64_t unexplained = 0;

    std::int64_t total() const {
        return static_cast<std::int64_t>(heap_live + heap_retained + heap_overhead + stack +
                                         anon_mapped + image) +
               unexplained;
    }
};

/// The target's memory at one moment, its heap read from outside.
struct Reading {
    std::uint64_t t_ns = 0;
    std::uint64_t requests = 0;   ///< completed by then
    std::uint32_t in_flight = 0;  ///< when the reading began; it may have changed since
    Books books;
    // Parts of heap_retained, resident.
    std::uint64_t retained_top = 0;     ///< tops of all arenas
    std::uint64_t retained_tcache = 0;  ///< chunks in threads' caches
    std::uint64_t retained_large = 0;   ///< free chunks of 128 KiB and more
    std::uint64_t retained_main = 0;    ///< in the main arena, of whatever kind
    std::uint64_t releasable = 0;       ///< what malloc_trim(0) would give back
    // As malloc counts, resident or not.
    std::uint64_t in_use = 0, system = 0, mmapped_bytes = 0, mmapped_chunks = 0, live_chunks = 0;
    std::uint64_t arenas = 0;
    std::uint64_t mmap_threshold = 0, trim_threshold = 0;  ///< of mp_; 0: not found
    std::uint64_t stack_cached = 0;  ///< part of stack: of threads that have ended
    std::uint64_t threads = 0;
    std::uint64_t rejected = 0;  ///< attempts that broke an invariant before this one
    std::uint64_t duration_ns = 0;
};

/// An arena in the last reading, most retained bytes first.
struct Arena {
    std::uint64_t address = 0;  ///< of its malloc_state
    std::uint64_t heaps = 0;
    std::uint64_t size = 0, in_use = 0;
    std::uint64_t resident_free = 0, releasable = 0;
    std::uint64_t pin_address = 0;  ///< 0: nothing keeps it from shrinking
    std::uint64_t pin_bytes = 0;
    StackId pin_stack{};  ///< who allocated the pin, [unknown] if that was not seen
};

/// What marking found unreachable at one moment, blocks of unknown birth included.
struct ReachReading {
    std::uint64_t t_ns = 0;
    std::uint64_t requests = 0;
    std::uint64_t unreachable_bytes = 0, unreachable_chunks = 0;  ///< as chunks
    std::uint64_t unmatched_bytes = 0, unmatched_chunks = 0;      ///< whose allocation was not seen
    std::uint64_t duration_ns = 0;
};

/// Exact event counts of the window; estimates carry their interval beside them.
struct Counts {
    /// By function: malloc, calloc, realloc, memalign, aligned_alloc, posix_memalign, valloc,
    /// pvalloc, free, and by system call: mmap, munmap, mremap, brk, madvise.
    std::map<std::string, std::uint64_t> calls;
    std::uint64_t allocated_bytes = 0, allocated_blocks = 0;  ///< as asked of the allocator
    std::uint64_t freed_bytes = 0, freed_blocks = 0;          ///< of blocks whose birth was seen
    std::uint64_t freed_unknown_blocks = 0;  ///< born before the attach, or their birth was lost
    std::uint64_t ended_bytes = 0, ended_blocks = 0;  ///< gone with a followed process
    std::uint64_t failed_allocations = 0;
    std::optional<Estimate> allocated_bytes_estimate;    ///< sites tier only
    std::uint64_t mapped_bytes = 0, unmapped_bytes = 0;  ///< anonymous and file, whole pages
    std::uint64_t brk_grown_bytes = 0, brk_shrunk_bytes = 0;
    /// As the kernel counts them; of the kernel itself where read() and the like met no page, the
    /// others are of user code, and what mlock(2) and MAP_POPULATE brought.
    std::uint64_t faults_user = 0, faults_kernel = 0;
    std::uint64_t fault_bytes = 0;          ///< anonymous memory that came with them
    std::uint64_t peak_rss_anon_bytes = 0;  ///< highest seen by a sample
};

/// Every way in which something may be missing. All zero: nothing was lost.
struct Losses {
    std::uint64_t ring_events = 0;      ///< ring buffer full
    std::uint64_t ring_calls = 0;       ///< of them, of the malloc family
    std::uint64_t map_full_events = 0;  ///< a BPF map was full
    std::uint64_t map_full_stacks = 0;  ///< of them, events that came, but without their stack
    std::uint64_t missed_programs = 0;  ///< programs at probes that the kernel skipped (recursion)
    std::uint64_t missed_tracepoints = 0;  ///< programs at tracepoints, in whichever process
    std::uint64_t stacks_failed = 0;
    std::uint64_t stacks_truncated = 0;
    std::uint64_t stacks_heuristic = 0;
    std::uint64_t inflight_reset = 0;    ///< calls whose return was never seen
    std::uint64_t missed_frees = 0;      ///< another block took the address first
    std::uint64_t undecodable = 0;       ///< records the decoder refused
    std::uint64_t unknown_requests = 0;  ///< request ends without a beginning, and abandoned ones
    std::vector<std::string> attach_failed;  ///< probe and reason
    std::uint64_t census_rejected = 0;
    std::uint64_t unseen_http_calls = 0;     ///< of sockets, at least
    std::uint64_t unsized_faults = 0;        ///< may have brought more than the page they count as
    std::uint64_t unseen_mapping_bytes = 0;  ///< mapped or unmapped where no probe is, at least
    std::uint64_t unnamed_frames = 0;        ///< kept without their names: there were too many
    std::uint64_t modules_failed = 0;        ///< executable files without names: no ELF, unreadable
    std::uint64_t mappings_dropped = 0;      ///< of code, not remembered: its frames have no module
};

struct Overhead {
    std::string tier;  ///< watch, sites or full
    std::uint64_t probe_hits = 0;
    std::optional<double> program_seconds;
    std::optional<double> trap_seconds_estimated;
    std::optional<double> target_cpu_fraction;  ///< (program + trap) / target's CPU seconds
    double target_cpu_seconds = 0;
    double tracer_cpu_seconds = 0;
    std::uint64_t tracer_rss_bytes = 0;
    double attach_seconds = 0, detach_seconds = 0;
};

enum class RequestSource : std::uint8_t { kNone = 0, kUsdt = 1, kFunc = 2, kHttp = 3, kEvery = 4 };

/// What the requests of one URL path did.
struct PathTotals {
    std::string path;            ///< as the target had it: escape before printing
    std::uint64_t requests = 0;  ///< served
    std::uint64_t aborted = 0;
    std::uint64_t duration_ns = 0, body_bytes = 0, response_bytes = 0,
                  allocated_bytes = 0;              ///< sums
    std::uint64_t held_bytes = 0, held_blocks = 0;  ///< outlived their request and are live
    bool operator==(const PathTotals&) const = default;
};

/// What of a site's live blocks outlived a request of a path.
struct SitePath {
    StackId stack;  ///< of a SiteKind::kHeap
    PathIndex path = 0;
    std::uint64_t held_bytes = 0, held_blocks = 0;
    bool operator==(const SitePath&) const = default;
};

/// Blocks that a request allocated, by when they were freed.
struct Lifetimes {
    struct Sum {
        std::uint64_t bytes = 0, blocks = 0;
        bool operator==(const Sum&) const = default;
    };
    Sum same;   ///< before their request ended
    Sum next;   ///< before kNextRequests more ended
    Sum later;  ///< after that
    Sum held;   ///< not at all: they outlived their request and are live
    static constexpr std::uint64_t kNextRequests = 10;
    bool operator==(const Lifetimes&) const = default;
};

/// What the sockets showed besides requests, where requests are HTTP's.
struct HttpSeen {
    std::uint64_t aborted = 0;   ///< requests whose connection was closed before the response's end
    std::uint64_t excluded = 0;  ///< requests of paths that were not to count
    std::uint64_t confused = 0;  ///< connections whose bytes could not be followed (any more)
    std::uint64_t tls = 0, http2 = 0;  ///< connections that cannot be read
    std::uint64_t upgraded = 0;        ///< connections that became something else
    std::uint64_t io_uring_calls = 0;  ///< what passes through them is not seen
    bool operator==(const HttpSeen&) const = default;
};

/// A child that was followed.
struct FollowedProcess {
    std::int32_t pid = 0;
    std::int32_t parent = 0;  ///< its pid
    std::string exe;          ///< as last seen; empty: exec'ed and ended before a look
    std::optional<std::int32_t> exit_status;  ///< wait status; nothing: alive at the end, or lost
    bool operator==(const FollowedProcess&) const = default;
};

struct Target {
    std::int32_t pid = 0;
    std::string exe;
    std::vector<std::string> cmdline;
    std::string libc_path, libc_version, libc_build_id;  ///< empty if none was found
    std::string allocator;                  ///< "glibc", or the name of what replaces it, "unknown"
    std::string kernel;                     ///< uname -r of the recording machine
    std::vector<FollowedProcess> followed;  ///< in the order of their births
};

struct Window {
    double seconds = 0;
    std::int64_t start_unix_seconds = 0;
    std::string
        ended_by;  ///< "interrupt", "duration", "requests", "target exited", "recorder died"
    std::optional<std::int32_t> exit_status;  ///< wait status of a target that ended, if known
};

/// Records of the ring that are kept as they came, beside the accounts.
struct RawEvents {
    std::uint64_t kept = 0;
    std::uint64_t not_kept = 0;  ///< beyond the limit
    std::uint64_t start_ns = 0;  ///< CLOCK_MONOTONIC when the window began: theirs is not relative
    bool operator==(const RawEvents&) const = default;
};

/// How many requests took about so long (within 1 %): what is left of requests whose rows were
/// dropped to keep a trace bounded.
struct LatencyCount {
    std::uint64_t latency_ns = 0;
    std::uint64_t count = 0;
};

/// Everything that is known at the end; what report, diff and check read.
struct Recording {
    std::string tool_version;
    Target target;
    Window window;
    RequestSource request_source = RequestSource::kNone;
    std::string request_spec;  ///< as given or as found by auto
    std::uint64_t requests_completed = 0;
    HttpSeen http;
    std::vector<PathTotals> paths;     ///< [0] is of no request; empty: requests have no paths
    std::vector<SitePath> site_paths;  ///< most bytes first
    Lifetimes lifetimes;
    std::uint64_t events_attributed = 0, events_unattributed = 0;
    std::vector<Frame> frames;
    std::vector<Stack> stacks;  ///< [0] is the unknown stack
    std::vector<Request> requests;
    std::vector<Epoch> epochs;
    std::vector<std::vector<SiteEpoch>> site_epochs;  ///< one list an epoch, parallel to epochs
    std::vector<ProcSample> samples;
    std::vector<Reading> readings;
    std::vector<Arena> arenas;  ///< of the last reading
    std::vector<ReachReading> reach;
    Counts counts;
    Losses losses;
    Overhead overhead;
    std::vector<std::string> notes;       ///< what the user should know: degraded features, reasons
    std::optional<RawEvents> raw_events;  ///< nothing: none were asked for
    std::uint64_t requests_dropped = 0;   ///< oldest requests, of which only ...
    std::vector<LatencyCount> dropped_latencies;  ///< ... the distribution of times is left
    std::vector<std::string> damage;  ///< parts of a damaged trace that could not be read back
    bool totals_known = true;         ///< false: counts, losses, overhead and window were damaged
};

}  // namespace asrtrace::ledger
