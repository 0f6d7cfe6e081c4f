// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The BPF programs of asrtrace: loading, attaching, reading what they leave. The only part of the
// project that knows libbpf and the skeleton. Everything is a file descriptor underneath: whatever
// ends the tracer removes every probe.
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bpf/event.h"
#include "user/base/bytes.h"
#include "user/base/result.h"
#include "user/capture/allocator_probes.h"
#include "user/capture/calibration.h"
#include "user/capture/call_sites.h"
#include "user/capture/features.h"
#include "user/capture/unwinding.h"
#include "user/capture/uprobes.h"
#include "user/capture/usdt.h"

namespace asrtrace::capture {

enum class Tier : std::uint8_t { kWatch, kSites, kFull };
std::string tier_name(Tier tier);

/// As counters and records tell functions apart (enum wire::ev_function).
std::uint32_t wire_function(AllocatorFunction function);

struct ProgramsConfig {
    pid_t pid = 0;
    Tier tier = Tier::kFull;
    std::uint64_t sample_mean_bytes = 512 << 10;
    std::uint64_t fault_mean_bytes = 64 << 10;
    bool follow = false;  ///< children, too: the probes then stand in every process of the machine
    bool http = false;    ///< requests are HTTP's on the target's sockets
    bool http_by_probes = true;   ///< behind the target's own calls where that is possible
    std::uint16_t http_port = 0;  ///< only connections to this port; 0: all
    // For tests and benchmarks:
    std::optional<ProbeMethod> method;  ///< nothing: the cheapest there is
    bool http_by_calls = false;         ///< sockets are seen by system calls alone
    bool at_symbols = false;            ///< probes on first instructions, cheap or not
    bool fault_addresses = false;       ///< of faults of user code, too: costs another program
};

/// The cheapest that the kernel has, unless another is asked for.
ProbeMethod choose_method(std::optional<ProbeMethod> asked, const Features& features);

/// Sums over all CPUs, index: enum wire::counter.
using Counters = std::array<std::uint64_t, wire::COUNTER_MAX>;

/// While the kernel's statistics were on; see RunStatistics.
struct ProgramStatistics {
    std::uint64_t probe_runs = 0;  ///< programs at uprobes
    double probe_seconds = 0;      ///< time inside them
    /// Programs at tracepoints run in all processes, whose faults they then leave alone.
    double tracepoint_seconds = 0;
    std::uint64_t fault_runs = 0;  ///< of the programs that meet faults, in all processes
    /// Runs the kernel skipped because another program was running.
    std::uint64_t probes_missed = 0;
    std::uint64_t tracepoints_missed = 0;  ///< in whichever process: most need not be the target's
};

/// A probe of the request plane.
struct RequestProbe {
    UprobeSite site;
    bool done = false;
    std::vector<UsdtArg> arguments;
};

class Programs {
  public:
    /// Opens and loads; nothing is attached yet. Error: what the kernel or the verifier refused.
    static Result<Programs> load(const ProgramsConfig& config, const Features& features);

    Programs(Programs&&) noexcept;
    Programs& operator=(Programs&&) noexcept;
    ~Programs();

    /// What could not be attached is appended to `failed`, by name and reason.
    void attach_kernel_plane(std::vector<std::string>& failed);
    /// Changes of mappings, by probes behind the calls. Error: what failed; none is attached then.
    Status attach_mapping_sites(const std::vector<CallSite>& sites);
    /// The same by tracepoints of system calls.
    void attach_mapping_calls(std::vector<std::string>& failed);
    /// The target's break, unless a probe has told it already.
    void set_break(std::uint64_t program_break);
    /// From now on allocations are followed; again after detach_allocator(), whose end it waits
    /// for. Error: what failed; none is attached then, for what is never seen freed passes for a
    /// leak.
    Status attach_allocator(const AllocatorProbes& probes);
    /// Allocations are no longer followed. The probes go in the background: that may take a while.
    void detach_allocator();
    void attach_requests(const std::vector<RequestProbe>& probes, std::vector<std::string>& failed);
    /// What goes through sockets; needs config.http. With `sites` by probes there, and the
    /// kernel's own tracepoints of sockets tell whether calls pass by them: see audit_http().
    void attach_http(const std::vector<CallSite>& sites, std::vector<std::string>& failed);
    /// Has anything passed by the probes behind socket calls? Then the tracepoints take over. If
    /// not, they go once enough was seen, and come back now and then. To be called from time to
    /// time. True: has just found that something has.
    bool audit_http(std::uint64_t now_ns, std::vector<std::string>& failed);
    /// Watches close and shutdown, once there is a connection whose end nothing else tells (a Unix
    /// socket's). To be called from time to time.
    void attach_http_ends(std::vector<std::string>& failed);
    /// Sites tier: blocks of `low` to `high` bytes are from now on sampled as decode::kRaised says.
    void raise_sampling(std::uint64_t low, std::uint64_t high);
    /// Page faults may bring more than a page: asks for the order of what they allocate.
    void attach_page_orders(std::vector<std::string>& failed);
    /// The same once the target has advised huge pages. To be called from time to time.
    void attach_advised_orders(std::vector<std::string>& failed);
    /// No page is huge on this machine, whatever the target advises.
    void expect_single_pages();
    /// Page faults are from now on sampled by fault_mean_bytes << shift, which each sample says.
    void thin_faults(std::uint32_t shift);
    /// Opens the window: until then attached programs do nothing.
    void enable();
    /// Closes the window, then removes every probe; what is in the ring can still be read. All at
    /// once: each removal waits for a grace period of RCU, and together they wait for one.
    void detach();

    /// Waits up to `timeout_ms` and hands over every record that is there. Of those that come
    /// meanwhile some may be left: whoever makes them may be faster than we are.
    void poll(int timeout_ms, const std::function<void(Bytes)>& record);

    /// The cost of this method's probes here.
    Result<TrapCost> measure_traps() const;
    /// Is a process with a seccomp filter safe from this method's probes?
    Result<bool> returns_pass_filters() const;

    Counters counters() const;
    std::optional<wire::stack_record> stack(std::uint64_t key) const;
    ProgramStatistics statistics() const;
    /// The walker's tables; stacks have one frame until its first update().
    Unwinding unwinding() const;
    ProbeMethod method() const { return method_; }

  private:
    struct State;
    explicit Programs(std::unique_ptr<State> state, ProbeMethod method);

    std::unique_ptr<State> state_;
    ProbeMethod method_;
};

}  // namespace asrtrace::capture
