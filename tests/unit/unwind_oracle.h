// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// elfutils' libdw as a second opinion on call frame information.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "bpf/unwind.h"

namespace asrtrace::unwind {

struct OracleFrame {
    std::uint64_t begin = 0;  ///< addresses as linked over which the rules hold
    std::uint64_t end = 0;
    unwind_row row{};  ///< libdw's operations, translated; pc is 0
};

class Oracle {
  public:
    /// Null if libdw cannot read the file.
    static std::unique_ptr<Oracle> open(const std::string& path);
    ~Oracle();
    Oracle(const Oracle&) = delete;
    Oracle& operator=(const Oracle&) = delete;

    /// What libdw says about one address; nothing if it knows no rules there.
    std::optional<OracleFrame> at(std::uint64_t address) const;

  private:
    Oracle() = default;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace asrtrace::unwind
