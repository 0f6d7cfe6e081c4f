// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/process_tree.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <sstream>
#include <string>

#include "user/base/fd.h"
#include "user/base/maps.h"
#include "user/capture/cgroup.h"
#include "user/capture/sampler.h"

namespace asrtrace::capture {
namespace {

std::string directory_of(pid_t pid) {
    return "/proc/" + std::to_string(pid);
}

void add_children(pid_t parent, std::vector<pid_t>& tree) {
    std::error_code gone;  // it may end meanwhile, which is no exception
    std::filesystem::directory_iterator task(directory_of(parent) + "/task", gone);
    for (; !gone && task != std::filesystem::directory_iterator(); task.increment(gone)) {
        const auto text = read_text_file(task->path().string() + "/children");
        if (!text) continue;
        std::istringstream words(*text);
        for (pid_t child = 0; words >> child;) {
            tree.push_back(child);
            add_children(child, tree);
        }
    }
}

/// The fields of the stat file of a process or thread behind the name, which may hold anything; [0]
/// is the state.
std::vector<std::string> stat_fields(const std::string& directory) {
    const auto text = read_text_file(directory + "/stat");
    const std::size_t name_end = text ? text->rfind(')') : std::string::npos;
    if (name_end == std::string::npos) return {};
    std::istringstream words(text->substr(name_end + 1));
    std::vector<std::string> fields;
    for (std::string word; words >> word;) fields.push_back(word);
    return fields;
}

std::vector<std::string> stat_fields(pid_t pid) {
    return stat_fields(directory_of(pid));
}

/// A field by its number in proc(5), from 1; nothing if it is not there.
std::optional<std::uint64_t> field(const std::vector<std::string>& fields, std::size_t number) {
    constexpr std::size_t kFirst = 3;  // the state
    if (number - kFirst >= fields.size()) return std::nullopt;
    return std::strtoull(fields[number - kFirst].c_str(), nullptr, 10);
}

/// The sum of some fields over the tree.
template <std::size_t N>
std::uint64_t sum_of(pid_t root, const std::array<std::size_t, N>& numbers) {
    std::uint64_t sum = 0;
    for (const pid_t pid : process_tree(root)) {
        const auto fields = stat_fields(pid);
        for (const std::size_t number : numbers) sum += field(fields, number).value_or(0);
    }
    return sum;
}

/// Adds up what belongs to a process; of the first one all is taken.
void add(const ledger::ProcSample& one, std::optional<ledger::ProcSample>& sum) {
    if (!sum) {
        sum = one;
        return;
    }
    sum->vm_rss_kb += one.vm_rss_kb;
    sum->rss_anon_kb += one.rss_anon_kb;
    sum->rss_file_kb += one.rss_file_kb;
    sum->rss_shmem_kb += one.rss_shmem_kb;
    sum->vm_swap_kb += one.vm_swap_kb;
    sum->pss_kb += one.pss_kb;
    sum->threads += one.threads;
    sum->around->page_tables_kb += one.around->page_tables_kb;
    sum->around->huge_pages_kb += one.around->huge_pages_kb;
}

/// The sum of some fields over the threads of a process that are not ending.
template <std::size_t N>
std::uint64_t sum_of_threads(pid_t pid, const std::array<std::size_t, N>& numbers) {
    constexpr std::size_t kFlags = 9;
    constexpr std::uint64_t kExiting = 4;  // PF_EXITING, include/linux/sched.h
    std::uint64_t sum = 0;
    std::error_code gone;
    std::filesystem::directory_iterator task(directory_of(pid) + "/task", gone);
    for (; !gone && task != std::filesystem::directory_iterator(); task.increment(gone)) {
        const auto fields = stat_fields(task->path().string());
        if ((field(fields, kFlags).value_or(kExiting) & kExiting) != 0) continue;
        for (const std::size_t number : numbers) sum += field(fields, number).value_or(0);
    }
    return sum;
}

/// Of clock ticks.
double seconds(std::uint64_t ticks) {
    return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

/// The number behind `name` in a file of "name 123" lines.
std::uint64_t counter(const std::string& text, const std::string& name) {
    std::istringstream lines(text);
    std::string word;
    for (std::uint64_t value = 0; lines >> word >> value;)
        if (word == name) return value;
    return 0;
}

}  // namespace

std::vector<pid_t> process_tree(pid_t root) {
    if (stat_fields(root).empty()) return {};
    std::vector<pid_t> tree = {root};
    add_children(root, tree);
    return tree;
}

std::optional<std::uint64_t> started_ticks(pid_t pid) {
    constexpr std::size_t kStartTime = 22;
    return field(stat_fields(pid), kStartTime);
}

bool is_running(const ProcessName& process) {
    if (started_ticks(process.pid) != process.started) return false;
    const UniqueFd held(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    if (!held.valid()) return errno != ESRCH;
    pollfd ended{.fd = held.get(), .events = POLLIN, .revents = 0};
    return ::poll(&ended, 1, 0) == 0;
}

std::optional<ledger::ProcSample> sample_processes(const std::vector<ProcessName>& processes,
                                                   bool with_pss) {
    std::optional<ledger::ProcSample> sum;
    for (const ProcessName& process : processes) {
        const auto one = sample_process(process.pid, with_pss);
        // Asked behind the look: whoever it was has had the pid all the time.
        if (one && started_ticks(process.pid) == process.started) add(*one, sum);
    }
    return sum;
}

std::optional<ledger::ProcSample> sample_tree(pid_t root, bool with_pss) {
    auto sum = sample_process(root, with_pss);
    if (!sum) return std::nullopt;
    for (const pid_t pid : process_tree(root)) {
        const auto one = pid == root ? std::nullopt : sample_process(pid, with_pss);
        if (one) add(*one, sum);
    }
    return sum;
}

std::uint64_t tree_pss_kb(pid_t root) {
    std::uint64_t sum = 0;
    for (const pid_t pid : process_tree(root)) sum += pss_kb(pid);
    return sum;
}

double tree_cpu_seconds(pid_t root) {
    constexpr std::array<std::size_t, 4> kTimes = {14, 15, 16, 17};  // u, s, and of reaped children
    return seconds(sum_of(root, kTimes));
}

std::uint64_t tree_faults(pid_t root) {
    constexpr std::array<std::size_t, 4> kFaults = {10, 11, 12, 13};
    return sum_of(root, kFaults);
}

std::uint64_t thread_faults(pid_t pid) {
    constexpr std::array<std::size_t, 2> kFaults = {10, 12};  // minor, major
    return sum_of_threads(pid, kFaults);
}

double thread_cpu_seconds(pid_t pid) {
    constexpr std::array<std::size_t, 2> kTimes = {14, 15};  // user, system
    return seconds(sum_of_threads(pid, kTimes));
}

OomKills oom_kills(pid_t pid) {
    OomKills kills;
    if (const auto text = read_text_file("/proc/vmstat"))
        kills.machine = counter(*text, "oom_kill");
    kills.cgroup = read_cgroup_memory(pid).oom_kills.value_or(0);
    return kills;
}

}  // namespace asrtrace::capture
