// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/soak/plan.h"

#include <algorithm>
#include <charconv>

namespace asrtrace::soak {
namespace {

/// Bounds of windows are sixtieths of a phase.
constexpr std::int64_t kParts = 60;

/// Sixtieths of a second, scaled, as whole seconds, rounded up.
std::int64_t scaled(std::int64_t sixtieths, const Scale& scale) {
    const std::int64_t under = kParts * scale.under;
    return (sixtieths * scale.over + under - 1) / under;
}

std::optional<std::int64_t> digits(std::string_view text) {
    std::int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [stopped, failure] = std::from_chars(text.data(), end, value);
    if (failure != std::errc() || stopped != end || text.front() == '-') return std::nullopt;
    return value;
}

}  // namespace

std::optional<Scale> parse_scale(std::string_view text) {
    Scale scale;
    const std::size_t mark = text.find_first_of("/.");
    const auto first = digits(text.substr(0, mark));
    if (!first || *first > kMostScalePart) return std::nullopt;
    scale.over = *first;
    if (mark != std::string_view::npos) {
        const std::string_view rest = text.substr(mark + 1);
        const auto second = digits(rest);
        if (!second || *second > kMostScalePart) return std::nullopt;
        scale.under = *second;
        if (text[mark] == '.') {
            scale.under = 1;
            for (std::size_t i = 0; i < rest.size() && scale.under <= kMostScalePart; ++i)
                scale.under *= 10;
            scale.over = scale.over * scale.under + *second;
        }
    }
    const bool in_bounds = scale.over > 0 && scale.over <= scale.under;
    return in_bounds && scale.under <= kMostScalePart ? std::optional(scale) : std::nullopt;
}

std::optional<std::int64_t> Plan::step() const {
    if (!sample) return std::nullopt;
    return std::max<std::int64_t>(1, *sample * scale.over / scale.under);
}

std::int64_t Plan::seconds() const {
    return scaled(kParts * (baseline + load + recovery), scale);
}

std::array<Window, kWindows> windows_of(const Plan& plan) {
    const std::int64_t load = kParts * plan.baseline;
    const std::int64_t recovery = load + kParts * plan.load;
    const auto window = [&](std::string_view name, std::int64_t begin, std::int64_t end) {
        return Window{name, scaled(begin, plan.scale), scaled(end, plan.scale)};
    };
    return {window("baseline", kParts * 3 / 5 * plan.baseline, load),
            window("early", load + kParts / 12 * plan.load, load + kParts / 6 * plan.load),
            window("late", load + kParts * 11 / 12 * plan.load, recovery),
            window("recovery", recovery + kParts * 2 / 3 * plan.recovery,
                   recovery + kParts * plan.recovery)};
}

}  // namespace asrtrace::soak
