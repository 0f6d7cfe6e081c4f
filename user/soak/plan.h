// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The phases of a characterization run, and the four windows of it that a verdict compares. The
// windows lie where they lie in the run of 5 + 60 + 15 minutes: [180,300), [600,900), [3600,3900)
// and [4500,4800) seconds; with other phases they keep their places within their phase.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace asrtrace::soak {

/// A fraction above 0, at most 1, with both parts up to kMostScalePart.
struct Scale {
    std::int64_t over = 1;
    std::int64_t under = 1;
};
constexpr std::int64_t kMostScalePart = 1'000'000;

/// "1/20", "0.05" or "1". Nothing: it is none of these, or outside of the bounds.
std::optional<Scale> parse_scale(std::string_view text);

/// Phases in seconds, before scaling.
constexpr std::int64_t kMostPhaseSeconds = 31'536'000;
struct Plan {
    std::int64_t baseline = 300;
    std::int64_t load = 3600;
    std::int64_t recovery = 900;
    std::optional<std::int64_t> sample = {};  ///< between rows; nothing: as the rows show it
    Scale scale = {};

    /// Seconds between rows, scaled but not below 1.
    std::optional<std::int64_t> step() const;
    /// Of all phases together, scaled and rounded up.
    std::int64_t seconds() const;
};

/// Seconds since the first row, half-open: a row at `end` is outside.
struct Window {
    std::string_view name;
    std::int64_t begin = 0;
    std::int64_t end = 0;

    bool contains(std::int64_t t) const { return t >= begin && t < end; }
};

enum WindowIndex : std::uint8_t { kBaseline, kEarly, kLate, kRecovery };
constexpr std::size_t kWindows = 4;

/// Bounds that are no whole seconds are rounded up, which holds the same rows: their times are
/// whole. A short phase may leave a window empty.
std::array<Window, kWindows> windows_of(const Plan& plan);

}  // namespace asrtrace::soak
