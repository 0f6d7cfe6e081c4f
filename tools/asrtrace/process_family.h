// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The target and its children: who was born, who became another program, who ended and how.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tools/asrtrace/notes.h"
#include "tools/asrtrace/symbol_thread.h"
#include "user/capture/process.h"
#include "user/capture/process_tree.h"
#include "user/decode/event.h"
#include "user/ledger/recording.h"

namespace asrtrace {

class ProcessFamily {
  public:
    /// Keeps `target` and the symbols up to date, and tells people in `notes`.
    ProcessFamily(const capture::Process& process, ledger::Target& target, SymbolThread& symbols,
                  Notes& notes);

    /// What a task's event means if children are not followed, and if they are.
    void note(const decode::Event& event, const decode::Task& task);
    void follow(const decode::Event& event, const decode::Task& task);

    /// Nobody is left to be traced. Asks the system for children whose end was not told, once the
    /// target has gone: the record may have been lost.
    bool all_ended() const;
    /// The target and the children that are followed, as far as they have not ended.
    std::vector<pid_t> running() const;
    /// The same by name, whenever it has changed.
    std::optional<std::vector<capture::ProcessName>> changed();
    /// Who has gone for `grace_ns` and more, and nobody told: the record was lost. To be ended.
    std::vector<decode::ProcessNumber> lost(std::uint64_t now_ns, std::uint64_t grace_ns);
    void end(decode::ProcessNumber process);
    bool execed() const { return execed_; }  ///< the target became another program
    std::optional<std::int32_t> exit_status() const { return exit_status_; }
    /// What the end of a run has to say about children.
    void note_children(bool following);

  private:
    struct Member {
        decode::ProcessNumber number = 0;
        std::optional<capture::ProcessName> name;  ///< nothing: it had gone when it was looked for
        std::uint64_t gone_ns = 0;                 ///< when that was noticed; 0: not yet
        bool ended = false;                        ///< as was told, or after that time
    };
    bool is_running(const Member& member) const;
    void add_member(decode::ProcessNumber number, pid_t pid);
    ledger::FollowedProcess* followed(decode::ProcessNumber process);
    void add_child(decode::ProcessNumber parent, const decode::Task& task);
    void follow_exec(decode::ProcessNumber process);

    const capture::Process& process_;
    ledger::Target& target_;
    SymbolThread& symbols_;
    Notes& notes_;
    std::map<decode::ProcessNumber, std::size_t> followed_;  ///< index into target_.followed
    std::vector<Member> members_;  ///< the target, and those of target_.followed
    bool changed_ = false;         ///< who has not ended
    std::set<decode::ProcessNumber> oom_victims_;
    std::uint64_t strangers_ = 0;  ///< children that are not followed
    std::optional<std::int32_t> exit_status_;
    bool execed_ = false;
};

}  // namespace asrtrace
