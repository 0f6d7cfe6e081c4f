// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/mappings.h"

#include <algorithm>

namespace asrtrace::symbols {
namespace {

constexpr std::size_t kMaxPast = std::size_t{1} << 16U;

bool inside(const CodeRange& range, std::uint64_t address) {
    return range.begin <= address && address < range.end;
}

}  // namespace

void Mappings::retire(const Span& span, std::uint32_t generation) {
    if (span.from >= generation) return;  // replaced within its own generation
    if (past_.size() >= kMaxPast) {
        past_.erase(oldest_first_.front());
        oldest_first_.pop_front();
        ++dropped_;
    }
    Span past = span;
    past.until = generation;
    longest_past_ = std::max(longest_past_, past.range.end - past.range.begin);
    oldest_first_.push_back(past_.emplace(past.range.begin, past));
}

void Mappings::add_snapshot(std::uint32_t generation, const std::vector<CodeRange>& ranges) {
    if (!any_) first_generation_ = last_generation_ = generation;
    any_ = true;
    last_generation_ = std::max(last_generation_, generation);
    std::vector<Span> next;
    next.reserve(ranges.size());
    auto old = present_.begin();
    for (const CodeRange& range : ranges) {
        while (old != present_.end() && old->range.begin < range.begin) {
            retire(*old++, last_generation_);
        }
        if (old != present_.end() && old->range == range) {
            next.push_back(*old++);
        } else {
            next.push_back({range, last_generation_, 0});
        }
    }
    while (old != present_.end()) retire(*old++, last_generation_);
    present_ = std::move(next);
}

const CodeRange* Mappings::find(std::uint32_t generation, std::uint64_t address) const {
    generation = std::max(generation, first_generation_);
    const auto present =
        std::upper_bound(present_.begin(), present_.end(), address,
                         [](std::uint64_t a, const Span& span) { return a < span.range.end; });
    if (present != present_.end() && inside(present->range, address) &&
        present->from <= generation) {
        return &present->range;
    }
    auto past = past_.upper_bound(address);
    while (past != past_.begin()) {
        --past;
        const Span& span = past->second;
        if (address - past->first >= longest_past_) break;
        if (inside(span.range, address) && span.from <= generation && generation < span.until) {
            return &span.range;
        }
    }
    return nullptr;
}

}  // namespace asrtrace::symbols
