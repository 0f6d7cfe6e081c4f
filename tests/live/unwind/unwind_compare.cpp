// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// unwind-compare [--samples N] [--faults] [--json] -- CMD...   or   --pid P
// Stops the target at random instructions and compares the BPF walker's stack, leaf to root, with
// libdwfl's. Prints one table: identical, depth, and the rest by cause. Exit 1 below 99 %, if fewer
// than 95 % of the stacks through JIT code reach the root, or if a tenth could not be compared.
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>

#include "tests/live/unwind/reference.h"
#include "tests/live/unwind/sampler.h"

namespace asrtrace::unwind {
namespace {

struct Options {
    int samples = 200;
    std::uint32_t sources = SAMPLE_TICK;
    pid_t pid = 0;
    int settle_ms = 500;
    bool verbose = false;
    std::string name = "target";
    char** command = nullptr;
};

struct Tally {
    int identical = 0;
    int deep = 0;  ///< identical and 8 frames or more
    int jit = 0;   ///< a JIT frame is in the stack: libdwfl has no tables there either
    int jit_rooted = 0;
    int rooted = 0;
    int under_handler = 0;  ///< identical, below a handler entered before the stop
    int both_lost = 0;  ///< libdwfl left code: while libgcc rewrites the stack nobody knows better
    int stale = 0;      ///< the maps had changed: not comparable
    int moved = 0;      ///< the thread ran on before the stop reached it: not comparable
    std::map<std::string, int> causes;
};

const char* reason_name(std::uint32_t reason) {
    static constexpr const char* kNames[] = {"complete", "no process", "no row",
                                             "bad read", "bad rule",   "too deep",
                                             "loop",     "trampoline", "no slot"};
    return reason < std::size(kNames) ? kNames[reason] : "?";
}

bool is_jit(const std::vector<MapsEntry>& maps, std::uint64_t pc) {
    const MapsEntry* entry = find_mapping(maps, pc);
    return entry != nullptr && entry->executable && !entry->is_file() && entry->path[0] != '[';
}

std::string place(const std::vector<MapsEntry>& maps, std::uint64_t pc) {
    const MapsEntry* entry = find_mapping(maps, pc);
    if (entry == nullptr) return "unmapped";
    const unsigned long long inside = pc - entry->begin + entry->file_offset;
    std::array<char, 32> offset{};
    std::snprintf(offset.data(), offset.size(), "+%#llx", inside);
    const std::string path = entry->path.empty() ? "[jit]" : entry->path;
    return path.substr(path.rfind('/') + 1) + offset.data();
}

bool is_lost(const std::vector<std::uint64_t>& pcs, const std::vector<MapsEntry>& maps) {
    return std::any_of(pcs.begin(), pcs.end(), [&](std::uint64_t pc) {
        const MapsEntry* entry = find_mapping(maps, pc);
        return entry == nullptr || !entry->executable;
    });
}

/// A signal that was pending as well is delivered first: the thread then stops at the first
/// instruction of its handler. That puts the handler and the restorer on top of the stack that was
/// walked.
std::size_t frames_of_new_handler(const std::vector<std::uint64_t>& theirs,
                                  const unwind_sample& sample) {
    if (theirs.empty() || theirs[0] == sample.ip) return 0;
    for (std::size_t frames = 2; frames <= 6 && frames < theirs.size(); frames += 2) {
        if (theirs[frames] == sample.ip) return frames;
    }
    return 0;
}

/// The registers are those of another instruction than the sampled one, and no new handler explains
/// it: the two stacks were taken at different moments.
bool moved_on(const std::vector<std::uint64_t>& theirs, const unwind_sample& sample) {
    return !theirs.empty() && theirs[0] != sample.ip && frames_of_new_handler(theirs, sample) == 0;
}

/// Why two stacks differ, in words that repeat.
std::string cause_of(const unwind_sample& ours, const std::vector<std::uint64_t>& theirs,
                     const std::vector<MapsEntry>& maps) {
    const auto& stack = ours.stack;
    std::size_t same = 0;
    while (same < stack.depth && same < theirs.size() && stack.pcs[same] == theirs[same]) ++same;
    if (same == 0) return "the leaf differs";
    const std::string at = " at " + place(maps, stack.pcs[same - 1]);
    if ((stack.flags & UNWIND_TRUNCATED) != 0 && same == stack.depth) {
        return std::string("walker stops: ") + reason_name(stack.reason) + at;
    }
    if (same == theirs.size()) return "libdwfl stops earlier" + at;
    if ((stack.flags & UNWIND_HEURISTIC) != 0) return "heuristic differs" + at;
    return "differ" + at;
}

void compare(const unwind_sample& sample, Reference& reference, const std::vector<MapsEntry>& maps,
             const Options& options, Tally& tally) {
    const auto& stack = sample.stack;
    bool jit = false;
    for (std::uint32_t i = 0; i < stack.depth; ++i) jit = jit || is_jit(maps, stack.pcs[i]);
    const bool rooted = (stack.flags & UNWIND_TRUNCATED) == 0;
    tally.rooted += rooted ? 1 : 0;
    if (jit) {
        ++tally.jit;
        tally.jit_rooted += rooted ? 1 : 0;
        if (!rooted) ++tally.causes[std::string("jit: ") + reason_name(stack.reason)];
        return;
    }
    bool complete = false;
    const auto theirs = reference.walk(static_cast<pid_t>(sample.tid), &complete);
    const std::size_t above = frames_of_new_handler(theirs, sample);
    if (rooted && std::equal(theirs.begin() + static_cast<std::ptrdiff_t>(above), theirs.end(),
                             stack.pcs, stack.pcs + stack.depth)) {
        ++tally.identical;
        tally.under_handler += above > 0 ? 1 : 0;
        tally.deep += stack.depth >= 8 ? 1 : 0;
        return;
    }
    if (moved_on(theirs, sample)) {
        ++tally.moved;
    } else if (is_lost(theirs, maps)) {
        ++tally.both_lost;
    } else {
        ++tally.causes[cause_of(sample, theirs, maps)];
    }
    if (!options.verbose) return;
    std::fprintf(stderr, "-- tid %u flags %x reason %s\n", sample.tid, stack.flags,
                 reason_name(stack.reason));
    for (std::size_t i = 0; i < std::max<std::size_t>(stack.depth, theirs.size()); ++i) {
        std::fprintf(stderr, "  %-50s %s\n",
                     i < stack.depth ? place(maps, stack.pcs[i]).c_str() : "-",
                     i < theirs.size() ? place(maps, theirs[i]).c_str() : "-");
    }
}

int print(const Options& options, const Tally& tally, int taken) {
    const int comparable = taken - tally.jit - tally.stale - tally.both_lost - tally.moved;
    const double percent = comparable > 0 ? 100.0 * tally.identical / comparable : 0;
    std::printf("%-18s %6d stacks %6d compared %7.2f %% identical %6.1f %% of them >= 8 frames\n",
                options.name.c_str(), taken, comparable, percent,
                tally.identical > 0 ? 100.0 * tally.deep / tally.identical : 0);
    std::printf("%-18s %6d reach the root, %d through JIT code, of those %d reach the root\n", "",
                tally.rooted, tally.jit, tally.jit_rooted);
    if (tally.under_handler > 0) {
        std::printf("%-18s %6d compared below a signal handler that began in between\n", "",
                    tally.under_handler);
    }
    if (tally.both_lost > 0) {
        std::printf(
            "%-18s %6d where libdwfl itself leaves the code (an exception being installed)\n", "",
            tally.both_lost);
    }
    if (tally.stale > 0) std::printf("%-18s %6d after a change of the maps\n", "", tally.stale);
    if (tally.moved > 0) {
        std::printf("%-18s %6d where the thread ran on before it stopped\n", "", tally.moved);
    }
    for (const auto& [cause, count] : tally.causes) {
        std::printf("%-18s %6d %s\n", "", count, cause.c_str());
    }
    // What cannot be compared must stay the exception, or it would hide what differs.
    const bool frozen = 10 * (tally.stale + tally.moved) <= taken;
    const bool jit_rooted = 100 * tally.jit_rooted >= 95 * tally.jit;
    const bool exact = comparable == 0 || percent >= 99;
    return taken == options.samples && frozen && jit_rooted && exact ? 0 : 1;
}

int run(const Options& options) {
    auto sampler = Sampler::open(options.pid, options.sources, true);
    if (!sampler) {
        std::fprintf(stderr, "unwind-compare: %s\n", sampler.error().message.c_str());
        return 2;
    }
    auto reference = Reference::attach(options.pid);
    Tally tally;
    int taken = 0;
    for (unsigned turn = 0; taken < options.samples && reference; ++turn) {
        // Odd skips keep clear of the program's own period.
        const auto sample = (*sampler)->next((turn * 7919) % 5, 3000);
        if (!sample) break;
        siginfo_t info{};
        // Our own children show the stop; for others a moment has to do.
        if (::waitid(P_PID, static_cast<id_t>(options.pid), &info, WSTOPPED | WEXITED | WNOWAIT) !=
            0) {
            ::usleep(2000);
        }
        const auto changed = (*sampler)->refresh();
        if (!changed) break;
        ++taken;
        if (*changed) {
            ++tally.stale;
            reference = Reference::attach(options.pid);
        } else {
            compare(*sample, *reference, (*sampler)->maps(), options, tally);
        }
        (*sampler)->resume();
        ::waitid(P_PID, static_cast<id_t>(options.pid), &info, WSTOPPED | WNOHANG);
    }
    (*sampler)->resume();
    return print(options, tally, taken);
}

pid_t start(char** command) {
    const pid_t pid = ::fork();
    if (pid != 0) return pid;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (std::freopen("/dev/null", "w", stdout) == nullptr) ::_exit(126);
    ::execvp(command[0], command);
    ::_exit(127);
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--") {
            options.command = argv + i + 1;
            return options.command[0] != nullptr;
        }
        if (word == "--faults") options.sources = SAMPLE_FAULT;
        if (word == "--verbose") options.verbose = true;
        if (word == "--faults" || word == "--verbose") continue;
        if (++i == argc) return false;
        if (word == "--samples") options.samples = std::atoi(argv[i]);
        if (word == "--settle-ms") options.settle_ms = std::atoi(argv[i]);
        if (word == "--pid") options.pid = std::atoi(argv[i]);
        if (word == "--name") options.name = argv[i];
    }
    return options.pid > 0;
}

}  // namespace
}  // namespace asrtrace::unwind

int main(int argc, char** argv) {
    asrtrace::unwind::Options options;
    if (!asrtrace::unwind::parse(argc, argv, options)) {
        std::fprintf(stderr,
                     "usage: %s [--samples N] [--faults] [--verbose] [--name NAME] "
                     "[--settle-ms MS] (--pid P | -- CMD...)\n",
                     argv[0]);
        return 2;
    }
    if (options.command != nullptr) {
        options.pid = asrtrace::unwind::start(options.command);
        ::usleep(static_cast<useconds_t>(options.settle_ms) * 1000);
    }
    const int status = asrtrace::unwind::run(options);
    if (options.command != nullptr) {
        ::kill(options.pid, SIGKILL);
        ::waitpid(options.pid, nullptr, 0);
    }
    return status;
}
