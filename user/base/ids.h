// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Distinct integer types for what must not be mixed up.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>

namespace asrtrace {

template <typename Tag, typename Rep>
struct Id {
    Rep value{};
    constexpr Id() = default;
    constexpr explicit Id(Rep v) : value(v) {}
    friend constexpr auto operator<=>(const Id&, const Id&) = default;
};

/// Index into a recording's stacks; 0 is the stack that nobody knows.
using StackId = Id<struct StackTag, std::uint32_t>;
/// Index into a recording's frames.
using FrameId = Id<struct FrameTag, std::uint32_t>;
/// Number of a request in the order in which they began, from 1; 0 is "no request".
using RequestId = Id<struct RequestTag, std::uint64_t>;

constexpr StackId kUnknownStack{0};
constexpr RequestId kNoRequest{0};

}  // namespace asrtrace

template <typename Tag, typename Rep>
struct std::hash<asrtrace::Id<Tag, Rep>> {
    std::size_t operator()(const asrtrace::Id<Tag, Rep>& id) const noexcept {
        return std::hash<Rep>{}(id.value);
    }
};
