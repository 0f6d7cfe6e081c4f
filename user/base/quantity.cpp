// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/quantity.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace asrtrace {
namespace {

constexpr double kExactBelow = 100'000;

struct ByteUnit {
    double size = 1;
    const char* name = "B";
};

ByteUnit unit_of(double value) {
    static constexpr std::array<ByteUnit, 5> kUnits{{{1024.0, "KiB"},
                                                     {1048576.0, "MiB"},
                                                     {1073741824.0, "GiB"},
                                                     {1099511627776.0, "TiB"},
                                                     {1125899906842624.0, "PiB"}}};
    if (std::abs(value) < kExactBelow) return {};
    const auto* unit = kUnits.begin();
    while (unit + 1 != kUnits.end() && std::abs(value) >= 1024 * unit->size) ++unit;
    return *unit;
}

std::string in_unit(double value, ByteUnit unit) {
    const double scaled = value / unit.size;
    const double size = std::abs(scaled);
    if (unit.size > 1) return fmt::format("{:.{}f}", scaled, size < 10 ? 2 : 1);
    if (size < 10 && scaled != std::floor(scaled)) return fmt::format("{:.2f}", scaled);
    const double rounded = std::round(size);
    return (value < 0 && rounded > 0 ? "-" : "") + grouped(static_cast<std::uint64_t>(rounded));
}

}  // namespace

std::string hex(std::uint64_t value) {
    return fmt::format("{:#x}", value);
}

std::string grouped(std::uint64_t value) {
    std::string digits = std::to_string(value);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, ",");
    return digits;
}

std::string bytes(double value) {
    const ByteUnit unit = unit_of(value);
    return in_unit(value, unit) + " " + unit.name;
}

std::string bytes(std::uint64_t value) {
    return bytes(static_cast<double>(value));
}

std::string signed_bytes(double value) {
    return (value < 0 ? "" : "+") + bytes(value);
}

std::string byte_range(const Interval& interval) {
    const ByteUnit unit = unit_of(std::max(std::abs(interval.lo), std::abs(interval.hi)));
    return in_unit(interval.lo, unit) + " to " + in_unit(interval.hi, unit) + " " + unit.name;
}

std::string duration_ns(std::uint64_t ns) {
    const auto value = static_cast<double>(ns);
    if (value < 1e6) return fmt::format("{:.1f} us", value / 1e3);
    if (value < 1e9) return fmt::format("{:.1f} ms", value / 1e6);
    return fmt::format("{:.2f} s", value / 1e9);
}

std::string percent(double fraction) {
    const double value = 100 * fraction;
    if (value > 0 && value < 0.1) return "<0.1 %";
    if (value < 100 && value > 99.9) return ">99.9 %";
    return fmt::format("{:.1f} %", value);
}

}  // namespace asrtrace
