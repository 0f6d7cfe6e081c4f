// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Drives unwind_sampler.bpf.c on one process: tables, programs, one sample after another.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <vector>

#include "tests/live/unwind/sample.h"
#include "user/base/fd.h"
#include "user/base/maps.h"
#include "user/base/result.h"
#include "user/capture/unwind_banks.h"
#include "user/unwind/target_tables.h"

struct unwind_sampler;
struct bpf_link;

namespace asrtrace::unwind {

class Sampler {
  public:
    /// Loads the programs and the tables of `pid`. Error: what the kernel or the target refused.
    static Result<std::unique_ptr<Sampler>> open(pid_t pid, std::uint32_t sources, bool stop);
    ~Sampler();
    Sampler(const Sampler&) = delete;
    Sampler& operator=(const Sampler&) = delete;

    /// The next stack; the target is stopped then, until resume(). Nothing after `timeout_ms`.
    std::optional<unwind_sample> next(std::uint32_t skip_ticks, int timeout_ms);
    void resume();

    /// Re-reads the maps; true if they had changed, and the tables with them.
    Result<bool> refresh();

    const std::vector<MapsEntry>& maps() const { return maps_; }
    const unwind_process& process() const { return process_; }
    /// A chunk of the space; null: none.
    void* chunk(__u32 bank, __u32 slot) const { return banks_.chunk(bank, slot); }
    const TargetTables& tables() const { return tables_; }

  private:
    explicit Sampler(pid_t pid) : pid_(pid), tables_(banks_, nullptr) {}
    Status attach(std::uint32_t sources);

    pid_t pid_;
    unwind_sampler* skeleton_ = nullptr;
    capture::BpfBanks banks_;
    TargetTables tables_;
    unwind_process process_{};
    std::vector<MapsEntry> maps_;
    std::vector<bpf_link*> links_;
};

}  // namespace asrtrace::unwind
