// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/process_family.h"

#include <algorithm>
#include <utility>

namespace asrtrace {

ProcessFamily::ProcessFamily(const capture::Process& process, ledger::Target& target,
                             SymbolThread& symbols, Notes& notes)
    : process_(process), target_(target), symbols_(symbols), notes_(notes) {
    add_member(0, process_.pid());
}

void ProcessFamily::add_member(decode::ProcessNumber number, pid_t pid) {
    Member& member = members_.emplace_back();
    member.number = number;
    if (const auto started = capture::started_ticks(pid)) member.name = {pid, *started};
    changed_ = true;
}

bool ProcessFamily::is_running(const Member& member) const {
    if (member.number == 0) return process_.alive();
    return member.name && capture::is_running(*member.name);
}

ledger::FollowedProcess* ProcessFamily::followed(decode::ProcessNumber process) {
    const auto found = followed_.find(process);
    return found == followed_.end() ? nullptr : &target_.followed[found->second];
}

void ProcessFamily::add_child(decode::ProcessNumber parent, const decode::Task& task) {
    const ledger::FollowedProcess* known = followed(parent);
    ledger::FollowedProcess child;
    child.pid = static_cast<std::int32_t>(task.pid);
    child.parent = known != nullptr ? known->pid : target_.pid;
    child.exe = known != nullptr ? known->exe : target_.exe;
    followed_[task.child] = target_.followed.size();
    add_member(task.child, child.pid);
    target_.followed.push_back(std::move(child));
    symbols_.forked(task.child, static_cast<pid_t>(task.pid));
}

void ProcessFamily::follow_exec(decode::ProcessNumber process) {
    symbols_.execed(process);
    ledger::FollowedProcess* child = followed(process);
    if (child == nullptr && process != 0) return;  // its birth's record was lost
    const auto now = capture::Process::open(child != nullptr ? child->pid : target_.pid);
    const std::string exe = now ? now->exe() : std::string{};
    if (child == nullptr)
        notes_.add(Notes::Repeated::kExec, "the target became " + exe + " by exec");
    (child != nullptr ? child->exe : target_.exe) = exe;
}

void ProcessFamily::follow(const decode::Event& event, const decode::Task& task) {
    if (task.child != 0) add_child(event.process, task);
    if (task.kind == decode::Task::Kind::kExec) follow_exec(event.process);
    if (!task.process_ended) return;
    end(event.process);
    if (auto* child = followed(event.process)) child->exit_status = task.exit_code;
}

void ProcessFamily::end(decode::ProcessNumber process) {
    symbols_.ended(process);
    const auto child = followed_.find(process);
    if (process != 0 && child == followed_.end()) return;
    members_[process == 0 ? 0 : child->second + 1].ended = true;
    changed_ = true;
}

void ProcessFamily::note(const decode::Event& event, const decode::Task& task) {
    switch (task.kind) {
        case decode::Task::Kind::kFork:
            strangers_ += task.child == 0 ? 1 : 0;
            break;
        case decode::Task::Kind::kExec:
            execed_ = true;
            break;
        case decode::Task::Kind::kOom:
            if (oom_victims_.insert(event.process).second)
                notes_.add(Notes::Repeated::kOomKill,
                           event.process == 0
                               ? "the OOM killer chose the target"
                               : "the OOM killer chose followed child " + std::to_string(task.pid));
            break;
        case decode::Task::Kind::kExit:
            if (task.process_ended && event.process == 0) exit_status_ = task.exit_code;
            break;
    }
}

bool ProcessFamily::all_ended() const {
    return !process_.alive() && std::ranges::none_of(members_, [this](const Member& member) {
        return !member.ended && is_running(member);
    });
}

std::vector<pid_t> ProcessFamily::running() const {
    std::vector<pid_t> pids;
    for (const Member& member : members_) {
        if (member.ended || !member.name) continue;
        const auto [pid, started] = *member.name;
        if (capture::started_ticks(pid) == started) pids.push_back(pid);
    }
    return pids;
}

std::optional<std::vector<capture::ProcessName>> ProcessFamily::changed() {
    if (!std::exchange(changed_, false)) return std::nullopt;
    std::vector<capture::ProcessName> names;
    for (const Member& member : members_)
        if (!member.ended && member.name) names.push_back(*member.name);
    return names;
}

std::vector<decode::ProcessNumber> ProcessFamily::lost(std::uint64_t now_ns,
                                                       std::uint64_t grace_ns) {
    std::vector<decode::ProcessNumber> numbers;
    for (Member& member : members_) {
        if (member.ended || is_running(member)) continue;
        if (member.gone_ns == 0) member.gone_ns = now_ns;
        if (now_ns - member.gone_ns >= grace_ns) numbers.push_back(member.number);
    }
    return numbers;
}

void ProcessFamily::note_children(bool following) {
    if (strangers_ > 0) {
        const std::string why =
            following ? ": a run follows 65,534 at most, and 1,023 at a time" : "";
        notes_.add("the target started " + std::to_string(strangers_) +
                   " child processes; they were not followed" + why);
    }
    std::size_t unseen = 0;
    for (std::size_t i = 0; i < target_.followed.size(); ++i)
        unseen += !target_.followed[i].exit_status && members_[i + 1].ended ? 1 : 0;
    if (unseen > 0) {
        notes_.add("events were lost, among them the end of " + std::to_string(unseen) +
                   " followed children: how they ended is not known");
    }
    if (!target_.followed.empty()) {
        notes_.add(
            "allocations, mappings, faults, requests, CPU time and memory samples are those of the "
            "target and its " +
            std::to_string(target_.followed.size()) +
            " followed children; readings of the heap are the target's alone: whether anything "
            "points to what children hold is not looked at");
    }
}

}  // namespace asrtrace
