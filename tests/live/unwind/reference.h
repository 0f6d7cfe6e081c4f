// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// elfutils' libdwfl as the independent unwinder: what eu-stack prints, without the symbols.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <vector>

struct Dwfl;

namespace asrtrace::unwind {

class Reference {
  public:
    /// Null if libdwfl cannot attach to the process.
    static std::unique_ptr<Reference> attach(pid_t pid);
    ~Reference();
    Reference(const Reference&) = delete;
    Reference& operator=(const Reference&) = delete;

    /// The program counters of a stopped thread, leaf first; *complete says whether the walk ended
    /// at the root.
    std::vector<std::uint64_t> walk(pid_t tid, bool* complete);

  private:
    explicit Reference(Dwfl* dwfl) : dwfl_(dwfl) {}
    Dwfl* dwfl_;
};

}  // namespace asrtrace::unwind
