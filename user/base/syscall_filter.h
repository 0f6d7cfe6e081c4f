// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Builds a seccomp filter: rules for system calls, some with a condition on an argument, and what
// becomes of those that no rule names. The first rule for a call decides.
//
//   each rule:  nr == N?  no -> next rule
//                         yes -> condition -> ALLOW or EPERM
#pragma once

#include <linux/filter.h>

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "user/base/result.h"

namespace asrtrace {

class SyscallFilter {
  public:
    enum class Others : std::uint8_t { kRefused, kAllowed };

    explicit SyscallFilter(Others others);

    void allow(std::initializer_list<long> numbers);
    /// If none of these bits is set in the argument, an int, or it is one of `others`.
    void allow_without(long number, unsigned argument, std::uint32_t bits,
                       const std::vector<std::uint32_t>& others = {});
    /// If one of these bits is set in the argument, an int.
    void allow_with(long number, unsigned argument, std::uint32_t bits);
    /// If the argument, an int, is one of these.
    void allow_one_of(long number, unsigned argument, const std::vector<std::uint32_t>& values);
    /// If the argument, a pointer or a long, is this.
    void allow_equal(long number, unsigned argument, std::uint64_t value);
    void refuse(std::initializer_list<long> numbers, int error_number);

    /// For the calling thread and those that it starts.
    Status install();

  private:
    void begin(long number, std::size_t length);
    void allow_values(const std::vector<std::uint32_t>& values);
    void load(unsigned argument, bool high_half);
    void jump(std::uint16_t test, std::uint32_t value, std::uint8_t if_true, std::uint8_t if_false);
    void answer(std::uint32_t action);

    Others others_;
    std::vector<sock_filter> program_;
};

}  // namespace asrtrace
