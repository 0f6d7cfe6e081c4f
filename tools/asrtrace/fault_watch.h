// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Page faults of the target and of those that it is followed to: how many the kernel has counted,
// what one of them brings, and how many of them are told one by one.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tools/asrtrace/overhead_meter.h"
#include "tools/asrtrace/process_family.h"
#include "user/capture/programs.h"

namespace asrtrace {

class FaultWatch {
  public:
    /// `sparing`: little is to be taken of the target, what may be left out is. `mean_bytes`: of
    /// memory to a fault that is told. The others must outlive this.
    FaultWatch(pid_t pid, bool sparing, std::uint64_t mean_bytes, capture::Programs& programs,
               const ProcessFamily& family, OverheadMeter& meter);

    /// Before the programs are enabled. `failed`: what could not be attached is added.
    void begin(std::vector<std::string>& failed);
    /// Asks the kernel for the counts of threads.
    void count();
    /// By user code since begin(), as of the last count(): those by kernel code are told.
    std::uint64_t by_user_code(std::uint64_t by_kernel_code) const;
    /// The last `seconds` tell how many there will be.
    void thin(double seconds);

  private:
    pid_t pid_;
    bool sparing_;
    std::uint64_t mean_bytes_;
    capture::Programs& programs_;
    const ProcessFamily& family_;
    OverheadMeter& meter_;
    /// By the kernel's count: of the target before the window, of all threads so far.
    std::uint64_t before_ = 0, faults_ = 0;
    std::uint64_t pages_ = 0;  ///< a while ago
    double target_cpu_ = 0;    ///< seconds, likewise
};

}  // namespace asrtrace
