// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/census.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <future>
#include <memory>

#include "tools/asrtrace/tell.h"
#include "user/base/confined_thread.h"
#include "user/base/output_file.h"
#include "user/capture/process.h"
#include "user/heap/confinement.h"
#include "user/heap/heap_reader.h"

namespace asrtrace {
namespace {

constexpr int kDone = 0;
constexpr int kEnvironment = 2;
constexpr int kRejected = 3;
constexpr std::size_t kMostListed = 100000;

struct CensusArguments {
    pid_t pid = 0;
    heap::CensusOptions options;
    std::uint64_t memory_cap_mib = 0;
    std::string json;
};

/// By a confined thread, which begins when this one has given up all but what writing takes.
heap::CensusOutcome take_census(pid_t pid, const heap::CensusOptions& options) {
    Confinement confinement = heap::reader_confinement();
    confinement.stops_processes = options.stop;
    std::promise<void> settled;
    std::packaged_task<heap::CensusOutcome()> task([&] {
        settled.get_future().wait();
        return heap::HeapReader(pid, options).take();
    });
    ConfinedThread reader(confinement, [&task] { task(); });
    if (!reader.problem().empty()) print_error(Error{reader.problem()});
    if (const auto status = settle_thread(kWritingCapabilities); !status)
        print_error(Error{"the main thread keeps its rights: " + status.error().message});
    settled.set_value();
    reader.join();
    return task.get_future().get();
}

}  // namespace

int run_census(pid_t pid, const heap::CensusOptions& options, const std::string& json_path) {
    const auto process = capture::Process::open(pid);
    if (!process) {
        print_error(process.error());
        return kEnvironment;
    }
    const heap::CensusOutcome outcome = take_census(pid, options);
    if (!process->alive()) {  // its number may be somebody else's by now
        print_error(Error{fmt::format("process {}: it ended while its heap was read", pid)});
        return kEnvironment;
    }
    if (!outcome.census) {
        const heap::CensusFailure& failure = outcome.failure;
        if (failure.kind == heap::CensusFailure::Kind::kEnvironment) {
            print_error(Error{failure.reason});
            return kEnvironment;
        }
        print_error(Error{
            fmt::format("census rejected ({} readings): {}", failure.rejected, failure.reason)});
        return kRejected;
    }
    Status written = ok_status();
    if (json_path != "-") written = write_output_file("-", census_text(pid, *outcome.census));
    if (written && !json_path.empty())
        written = write_output_file(json_path, census_json(pid, *outcome.census));
    if (written) return kDone;
    print_error(written.error());
    return kEnvironment;
}

void add_census(CLI::App& app, int& exit_status) {
    auto given = std::make_shared<CensusArguments>();
    CLI::App* verb = app.add_subcommand(
        "census", "What the glibc heap of a process holds, keeps and could give back");
    verb->add_option("--pid,-p", given->pid, "Process to look at")->required();
    verb->add_flag("--stop", given->options.stop,
                   "Hold the process while it is read: exact; the pause is printed");
    verb->add_flag("--reach", given->options.reach,
                   "Also find memory that nothing points to (leaks)");
    verb->add_option("--json", given->json, "Write asrtrace.census/1; - is standard output");
    verb->add_option("--memory-cap", given->memory_cap_mib,
                     "MiB that the reader may hold (default: a quarter of what is available)");
    verb->footer(
        "Example: sudo asrtrace census --pid 4242 --stop --reach\n"
        "Exit status: 0 done, 2 usage or environment, 3 rejected: no reading was sound.");
    verb->callback([given, &exit_status] {
        given->options.max_leaked = kMostListed;
        given->options.memory_cap_bytes = given->memory_cap_mib << 20;
        exit_status = run_census(given->pid, given->options, given->json);
    });
}

}  // namespace asrtrace
