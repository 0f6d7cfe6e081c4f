// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Code of the target, off the ring's thread: keeps the walker's tables and the symbolizer in step
// with the target's mappings; raw stacks go in, stacks with frames come out.
#pragma once

#include <sys/types.h>

#include <thread>
#include <variant>
#include <vector>

#include "bpf/event.h"
#include "tools/asrtrace/mailbox.h"
#include "user/capture/unwinding.h"
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

    /// The target mapped code: look at its mappings while they are there.
    void mappings_changed() { in_.post(MappingsChanged{}); }
    void post(RawStack stack) { in_.post(stack); }
    std::vector<SymbolizedStack> take() { return out_.take(); }
    /// Modules whose call frame information is of no use, as found so far; before finish() only
    /// what the constructor found may be asked for.
    const std::vector<std::string>& problems() const { return problems_; }
    /// Ends the thread once everything posted is done; what is left to take is returned.
    std::vector<SymbolizedStack> finish();

  private:
    struct MappingsChanged {};
    using Work = std::variant<MappingsChanged, RawStack>;

    void run();
    void handle(const Work& work);
    void look_at_mappings();
    SymbolizedStack symbolize(const RawStack& stack);

    pid_t pid_;
    capture::Unwinding unwinding_;
    symbols::Symbolizer symbolizer_;
    std::vector<std::string> problems_;
    std::uint32_t generation_ = 0;  ///< of the newest snapshot
    std::uint64_t looked_ns_ = 0;   ///< when that was taken
    Mailbox<Work> in_;
    Mailbox<SymbolizedStack> out_;
    std::thread thread_;
};

}  // namespace asrtrace
