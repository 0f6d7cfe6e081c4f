// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/process_family.h"

#include <utility>

#include "user/capture/process_tree.h"

namespace asrtrace {

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
    running_since_.push_back(capture::started_ticks(child.pid));
    target_.followed.push_back(std::move(child));
    symbols_.forked(task.child, static_cast<pid_t>(task.pid));
}

void ProcessFamily::follow_exec(decode::ProcessNumber process) {
    symbols_.execed(process);
    ledger::FollowedProcess* child = followed(process);
    const auto now = capture::Process::open(child != nullptr ? child->pid : target_.pid);
    const std::string exe = now ? now->exe() : std::string{};
    if (child == nullptr) notes_.push_back("the target became " + exe + " by exec");
    (child != nullptr ? child->exe : target_.exe) = exe;
}

void ProcessFamily::follow(const decode::Event& event, const decode::Task& task) {
    if (task.child != 0) add_child(event.process, task);
    if (task.kind == decode::Task::Kind::kExec) follow_exec(event.process);
    if (!task.process_ended) return;
    symbols_.ended(event.process);
    if (auto* child = followed(event.process)) child->exit_status = task.exit_code;
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
                notes_.push_back(event.process == 0 ? "the OOM killer chose the target"
                                                    : "the OOM killer chose followed child " +
                                                          std::to_string(task.pid));
            break;
        case decode::Task::Kind::kExit:
            if (task.process_ended && event.process == 0) exit_status_ = task.exit_code;
            break;
    }
}

bool ProcessFamily::all_ended() {
    if (process_.alive()) return false;
    for (std::size_t i = 0; i < target_.followed.size(); ++i) {
        const ledger::FollowedProcess& child = target_.followed[i];
        if (child.exit_status || !running_since_[i]) continue;
        if (capture::is_running(child.pid, *running_since_[i])) return false;
        running_since_[i].reset();
    }
    return true;
}

std::vector<pid_t> ProcessFamily::running() const {
    std::vector<pid_t> pids;
    if (process_.alive()) pids.push_back(process_.pid());
    for (std::size_t i = 0; i < target_.followed.size(); ++i) {
        const ledger::FollowedProcess& child = target_.followed[i];
        if (!child.exit_status && running_since_[i] &&
            capture::started_ticks(child.pid) == running_since_[i])
            pids.push_back(child.pid);
    }
    return pids;
}

void ProcessFamily::note_children() {
    if (strangers_ > 0) {
        notes_.push_back("the target started " + std::to_string(strangers_) +
                         " child processes; they were not followed");
    }
    std::size_t unseen = 0;
    for (std::size_t i = 0; i < target_.followed.size(); ++i)
        unseen += !target_.followed[i].exit_status && !running_since_[i] ? 1 : 0;
    if (unseen > 0) {
        notes_.push_back("events were lost, among them the end of " + std::to_string(unseen) +
                         " followed children: what they held then counts as live");
    }
    if (!target_.followed.empty()) {
        notes_.emplace_back(
            "allocations, mappings, faults, requests, CPU time and memory samples are those of the "
            "target and its " +
            std::to_string(target_.followed.size()) +
            " followed children; readings of the heap are the target's alone");
    }
}

}  // namespace asrtrace
