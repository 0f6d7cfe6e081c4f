// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/calibration.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstddef>
#include <ctime>
#include <iterator>
#include <optional>
#include <utility>

#include "user/base/maps.h"

// Functions that begin with an instruction which x86's uprobes emulate (push), and with one that
// they single-step (test). arm64's step nearly all.
#ifdef __x86_64__
#define ASRTRACE_EMULATED "push %rbp\npop %rbp"
#define ASRTRACE_STEPPED "test %rdi, %rdi"
#else
#define ASRTRACE_EMULATED "nop"
#define ASRTRACE_STEPPED "cmp x0, #0"
#endif
#define ASRTRACE_FUNCTION(name, body)                                                          \
    asm(".pushsection .text\n.balign 16\n.globl " #name "\n.type " #name ", %function\n" #name \
        ":\n" body "\nret\n.size " #name ", . - " #name "\n.popsection\n");                    \
    extern "C" void name()
ASRTRACE_FUNCTION(asrtrace_calibrate_entry, ASRTRACE_EMULATED);
ASRTRACE_FUNCTION(asrtrace_calibrate_call, ASRTRACE_EMULATED);
ASRTRACE_FUNCTION(asrtrace_calibrate_stepped, ASRTRACE_STEPPED);

namespace asrtrace::capture {
namespace {

using Function = void (*)();

constexpr int kRounds = 5;
constexpr int kCalls = 3000;        ///< a round
constexpr int kSteppedCalls = 200;  ///< each costs thirty times as much

double cpu_ns() {
    timespec now{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

struct Order {
    Function function = nullptr;
    int calls = 0;
};

enum class Filter : bool { kNone, kKills };

/// What serve() needs is allowed, anything else kills.
bool install_filter() {
    std::array code{
        sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 4, 0),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 3, 0),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 2, 0),
        sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 1, 0),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/// The child: for each order the nanoseconds of a call, until the pipe is closed.
[[noreturn]] void serve(int orders, int answers, Filter filter) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (filter == Filter::kKills && !install_filter()) ::_exit(1);
    Order order;
    while (::read(orders, &order, sizeof(order)) == sizeof(order)) {
        const double begin = cpu_ns();
        for (int i = 0; i < order.calls; ++i) order.function();
        const double each = (cpu_ns() - begin) / order.calls;
        if (::write(answers, &each, sizeof(each)) != sizeof(each)) break;
    }
    ::_exit(0);
}

class Child {
  public:
    static Result<Child> start(Filter filter) {
        int orders[2], answers[2];
        if (::pipe2(orders, O_CLOEXEC) != 0) return errno_error("pipe");
        UniqueFd order_read(orders[0]), order_write(orders[1]);
        if (::pipe2(answers, O_CLOEXEC) != 0) return errno_error("pipe");
        UniqueFd answer_read(answers[0]), answer_write(answers[1]);
        const pid_t pid = ::fork();
        if (pid < 0) return errno_error("fork");
        if (pid == 0) {
            order_write.reset();
            serve(order_read.get(), answer_write.get(), filter);
        }
        return Child(pid, std::move(order_write), std::move(answer_read));
    }
    Child(Child&& other) noexcept
        : pid_(std::exchange(other.pid_, 0)),
          orders_(std::move(other.orders_)),
          answers_(std::move(other.answers_)) {}
    ~Child() {
        orders_.reset();  // it ends
        if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
    }

    pid_t pid() const { return pid_; }

    /// Nanoseconds of a call: the median of some rounds.
    std::optional<double> time(Order order) const {
        std::array<double, kRounds> rounds{};
        for (double& each : rounds)
            if (::write(orders_.get(), &order, sizeof(order)) != sizeof(order) ||
                ::read(answers_.get(), &each, sizeof(each)) != sizeof(each))
                return std::nullopt;
        std::nth_element(rounds.begin(), rounds.begin() + kRounds / 2, rounds.end());
        return rounds[kRounds / 2];
    }

  private:
    Child(pid_t pid, UniqueFd orders, UniqueFd answers)
        : pid_(pid), orders_(std::move(orders)), answers_(std::move(answers)) {}

    pid_t pid_;
    UniqueFd orders_, answers_;
};

/// Where the function lies in our own executable's file.
Result<UprobeSite> site_of(Function function) {
    const auto address = reinterpret_cast<std::uintptr_t>(function);
    const auto maps = read_maps(::getpid());
    if (!maps) return maps.error();
    const MapsEntry* entry = find_mapping(*maps, address);
    if (entry == nullptr) return Error{"the tracer's own code is not mapped"};
    auto file = ModuleFile::open("/proc/self/exe");
    if (!file) return file.error();
    UprobeSite site;
    site.file = std::move(*file);
    site.file_offset = address - entry->begin + entry->file_offset;
    site.what = "a function of the tracer's own";
    return site;
}

}  // namespace

Result<TrapCost> measure_traps(ProbeMethod method, CallPrograms entry, CallPrograms call) {
    auto child = Child::start(Filter::kNone);
    if (!child) return child.error();
    std::vector<UniqueFd> links;
    TrapCost cost;
    const auto measure = [&](Order order, CallPrograms programs, double& out) -> Status {
        const auto site = site_of(order.function);
        if (!site) return site.error();
        const auto without = child->time(order);
        auto linked = link_sites(method, programs, {*site}, child->pid());
        if (!linked) return linked.error();
        std::ranges::move(*linked, std::back_inserter(links));
        const auto with = child->time(order);
        if (!with || !without) return Error{"the child that was probed ended"};
        out = std::max(0.0, *with - *without);
        return ok_status();
    };
    Status status = measure({asrtrace_calibrate_entry, kCalls}, entry, cost.entry);
    if (status) status = measure({asrtrace_calibrate_call, kCalls}, call, cost.entry_and_return);
    if (status) status = measure({asrtrace_calibrate_stepped, kSteppedCalls}, entry, cost.stepped);
    unlink_sites(links);
    if (!status) return status.error();
    return cost;
}

Result<bool> returns_pass_filters(ProbeMethod method, CallPrograms call) {
    const auto child = Child::start(Filter::kKills);
    if (!child) return child.error();
    const auto site = site_of(asrtrace_calibrate_call);
    if (!site) return site.error();
    const Order order{asrtrace_calibrate_call, 1};
    if (!child->time(order)) return Error{"a child with a seccomp filter could not be started"};
    auto links = link_sites(method, call, {*site}, child->pid());
    if (!links) return links.error();
    const bool survives = child->time(order).has_value();
    unlink_sites(*links);
    return survives;
}

}  // namespace asrtrace::capture
