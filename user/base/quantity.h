// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Numbers for people.
#pragma once

#include <cstdint>
#include <string>

#include "user/base/interval.h"

namespace asrtrace {

/// "0x7f12".
std::string hex(std::uint64_t value);

/// "1,234,567".
std::string grouped(std::uint64_t value);

/// "3,917 B" below 100,000 (so that a size can be told from its neighbour), "123.4 KiB", "1.50 GiB"
/// above; a fraction of a byte keeps two digits.
std::string bytes(double value);
std::string bytes(std::uint64_t value);
/// With its sign, "+0 B" included.
std::string signed_bytes(double value);

/// "3,900 to 4,100 B": one unit, that of the larger end.
std::string byte_range(const Interval& interval);

/// "12.3 ms", "1.20 s".
std::string duration_ns(std::uint64_t ns);

/// "12.3 %"; "<0.1 %" and ">99.9 %" where rounding would claim nothing or all.
std::string percent(double fraction);

}  // namespace asrtrace
