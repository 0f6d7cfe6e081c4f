// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The target and its children: who was born, who became another program, who ended and how.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tools/asrtrace/symbol_thread.h"
#include "user/capture/process.h"
#include "user/decode/event.h"
#include "user/ledger/recording.h"

namespace asrtrace {

class ProcessFamily {
  public:
    /// Keeps `target` and the symbols up to date, and tells people in `notes`.
    ProcessFamily(const capture::Process& process, ledger::Target& target, SymbolThread& symbols,
                  std::vector<std::string>& notes)
        : process_(process), target_(target), symbols_(symbols), notes_(notes) {}

    /// What a task's event means if children are not followed, and if they are.
    void note(const decode::Event& event, const decode::Task& task);
    void follow(const decode::Event& event, const decode::Task& task);

    /// Nobody is left to be traced. Asks the system for children whose end was not told, once the
    /// target has gone: the record may have been lost.
    bool all_ended();
    /// The target and the children that are followed, as far as they have not ended.
    std::vector<pid_t> running() const;
    bool execed() const { return execed_; }  ///< the target became another program
    std::optional<std::int32_t> exit_status() const { return exit_status_; }
    /// What the end of a run has to say about children.
    void note_children();

  private:
    ledger::FollowedProcess* followed(decode::ProcessNumber process);
    void add_child(decode::ProcessNumber parent, const decode::Task& task);
    void follow_exec(decode::ProcessNumber process);

    const capture::Process& process_;
    ledger::Target& target_;
    SymbolThread& symbols_;
    std::vector<std::string>& notes_;
    std::map<decode::ProcessNumber, std::size_t> followed_;  ///< index into target_.followed
    /// When those of target_.followed began; nothing: they have gone, whether that was told or not.
    std::vector<std::optional<std::uint64_t>> running_since_;
    std::set<decode::ProcessNumber> oom_victims_;
    std::uint64_t strangers_ = 0;  ///< children that are not followed
    std::optional<std::int32_t> exit_status_;
    bool execed_ = false;
};

}  // namespace asrtrace
