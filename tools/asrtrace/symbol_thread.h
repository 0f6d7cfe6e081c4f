// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Symbolization off the ring's thread: raw stacks go in, stacks with frames come out.
#pragma once

#include <sys/types.h>

#include <thread>
#include <variant>
#include <vector>

#include "bpf/event.h"
#include "tools/asrtrace/mailbox.h"
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
    explicit SymbolThread(pid_t pid);
    ~SymbolThread();

    /// The target mapped code: look at its mappings while they are there.
    void mappings_changed() { in_.post(MappingsChanged{}); }
    void post(RawStack stack) { in_.post(stack); }
    std::vector<SymbolizedStack> take() { return out_.take(); }
    /// Ends the thread once everything posted is done; what is left to take is returned.
    std::vector<SymbolizedStack> finish();

  private:
    struct MappingsChanged {};
    using Work = std::variant<MappingsChanged, RawStack>;

    void run();
    void handle(const Work& work);
    void look_at_mappings(std::uint32_t generation);
    SymbolizedStack symbolize(const RawStack& stack);

    pid_t pid_;
    symbols::Symbolizer symbolizer_;
    std::uint32_t generation_ = 0;  ///< of the newest snapshot
    Mailbox<Work> in_;
    Mailbox<SymbolizedStack> out_;
    std::thread thread_;
};

}  // namespace asrtrace
