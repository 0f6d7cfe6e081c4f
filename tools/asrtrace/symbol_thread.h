// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Code of the target and its children, off the ring's thread: keeps the walker's tables and the
// symbolizers in step with their mappings; raw stacks go in, stacks with frames come out. The
// tables come first: naming a stack may mean to read a library's DWARF, and for as long as a
// program's tables are not there, its stacks are cut off.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <variant>
#include <vector>

#include "bpf/event.h"
#include "user/base/confined_thread.h"
#include "user/base/mailbox.h"
#include "user/capture/unwinding.h"
#include "user/decode/event.h"
#include "user/ledger/recording.h"
#include "user/symbols/symbolizer.h"

namespace asrtrace {

struct RawStack {
    StackId id;
    wire::stack_record record;
};

struct SymbolizedStack {
    StackId id;
    std::uint32_t flags = 0;
    std::vector<ledger::Frame> frames;
};

class SymbolThread {
  public:
    /// Looks at the target's mappings at once: the walker is ready when this returns.
    /// `debuginfod`: may fetch debug files over the network.
    SymbolThread(pid_t pid, capture::Unwinding unwinding, bool debuginfod);
    ~SymbolThread();

    /// A process mapped code: look at its mappings while they are there.
    void mappings_changed(decode::ProcessNumber process) { in_.post(MappingsChanged{process}); }
    /// A followed child was born.
    void forked(decode::ProcessNumber child, pid_t pid) { in_.post(Forked{child, pid}); }
    /// A followed process runs another program.
    void execed(decode::ProcessNumber process) { in_.post(Execed{process}); }
    void ended(decode::ProcessNumber process) { in_.post(Ended{process}); }
    void post(RawStack stack) { in_.post(stack); }
    std::vector<SymbolizedStack> take() { return out_.take(); }
    /// Why this thread, or the one that writes the cache of tables, is not confined.
    std::vector<std::string> confinement_problems() const {
        return {thread_.problem(), unwinding_.problem()};
    }
    /// Modules whose call frame information is of no use, the first few and how many more, as found
    /// so far; before finish() only what the constructor found may be asked for.
    std::vector<std::string> problems() const;
    /// Executable files that could not be read for their names, so far.
    std::uint64_t modules_failed() const { return modules_failed_; }
    /// Mappings of code that are not remembered: there were too many.
    std::uint64_t mappings_dropped() const { return mappings_dropped_; }
    /// Ends the thread once everything posted is done; what is left to take is returned.
    std::vector<SymbolizedStack> finish();

  private:
    struct MappingsChanged {
        decode::ProcessNumber process;
    };
    struct Forked {
        decode::ProcessNumber child;
        pid_t pid;
    };
    struct Execed {
        decode::ProcessNumber process;
    };
    struct Ended {
        decode::ProcessNumber process;
    };
    using Work = std::variant<MappingsChanged, Forked, Execed, Ended, RawStack>;

    struct Process {
        pid_t pid = 0;
        /// A forked child's is its parent's until it maps something or runs another program.
        std::shared_ptr<symbols::Symbolizer> symbolizer;
        bool borrowed = false;
        std::uint32_t generation = 0;  ///< of the newest snapshot; 0: there was none
        std::uint64_t looked_ns = 0;   ///< when that was taken
    };
    /// What waits behind the stacks that were posted before it: a symbolizer that only they need.
    using Naming = std::variant<RawStack, std::shared_ptr<symbols::Symbolizer>>;

    void run();
    void on(const MappingsChanged& change);
    void on(const Forked& fork);
    void on(const Execed& exec);
    void on(const Ended& end);
    void on(const RawStack& stack) { naming_.emplace_back(stack); }
    void name_next();
    void choose_symbolizer(Process& process, const capture::UnwindingUpdate& update);
    void supersede(std::uint32_t generation);
    void look_at_mappings(Process& process);
    void note_problem(const std::string& problem);
    std::shared_ptr<symbols::Symbolizer> symbolizer_of(const RawStack& stack,
                                                       std::uint32_t& generation);
    SymbolizedStack symbolize(const RawStack& stack);

    capture::Unwinding unwinding_;
    bool debuginfod_;
    std::map<decode::ProcessNumber, Process> processes_;
    /// A generation is one address space's; who needs its symbolizer no more lets it go.
    std::map<std::uint32_t, std::weak_ptr<symbols::Symbolizer>> by_generation_;
    std::deque<std::uint32_t> superseded_;  ///< generations, the oldest first
    std::deque<Naming> naming_;
    std::vector<std::string> problems_;
    std::size_t more_problems_ = 0;
    std::atomic<std::uint64_t> modules_failed_{0}, mappings_dropped_{0};
    Mailbox<Work> in_;
    Mailbox<SymbolizedStack> out_;
    ConfinedThread thread_;
};

}  // namespace asrtrace
