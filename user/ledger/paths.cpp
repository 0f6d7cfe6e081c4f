// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/ledger/paths.h"

#include <algorithm>
#include <cmath>
#include <tuple>

namespace asrtrace::ledger {
namespace {

constexpr std::size_t kMaxPaths = 100;  ///< with "[none]" and "[other]"
constexpr std::size_t kMaxSitePaths = 200;
constexpr unsigned kPathBits = 16;

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_hex(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/// A number, or what databases and tracers call things by.
bool is_id(std::string_view segment) {
    constexpr std::size_t kShortestHex = 16;
    if (segment.empty()) return false;
    if (std::all_of(segment.begin(), segment.end(), is_digit)) return true;
    const auto hex_or_dash = [](char c) { return is_hex(c) || c == '-'; };
    return segment.size() >= kShortestHex && is_hex(segment.front()) &&
           std::all_of(segment.begin(), segment.end(), hex_or_dash);
}

std::uint64_t whole(double amount) {
    return static_cast<std::uint64_t>(std::llround(std::max(amount, 0.0)));
}

}  // namespace

std::string path_pattern(std::string_view path) {
    if (const std::size_t scheme = path.find("://"); scheme != std::string_view::npos) {
        const std::size_t slash = path.find('/', scheme + 3);
        path = slash == std::string_view::npos ? "/" : path.substr(slash);
    }
    std::string pattern;
    while (!path.empty()) {
        const std::size_t end = std::min(path.find('/'), path.size());
        const std::string_view segment = path.substr(0, end);
        pattern += is_id(segment) ? "{id}" : segment;
        if (end < path.size()) pattern += '/';
        path.remove_prefix(std::min(path.size(), end + 1));
    }
    return pattern;
}

PathIndex Paths::at(std::string_view path) {
    std::string pattern = path_pattern(path);
    if (const auto known = index_.find(pattern); known != index_.end()) return known->second;
    if (paths_.empty()) {
        paths_.push_back({.path = "[none]"});
        held_.resize(1);
    }
    if (paths_.size() >= kMaxPaths) return static_cast<PathIndex>(paths_.size() - 1);
    if (paths_.size() == kMaxPaths - 1) pattern = "[other]";
    const auto number = static_cast<PathIndex>(paths_.size());
    index_.emplace(pattern, number);
    paths_.push_back({.path = std::move(pattern)});
    held_.emplace_back();
    return number;
}

void Paths::end(PathIndex path, const Request& request, bool served) {
    if (path >= paths_.size()) return;
    PathTotals& totals = paths_[path];
    if (!served) {
        ++totals.aborted;
        return;
    }
    ++totals.requests;
    totals.duration_ns += request.end_ns - std::min(request.begin_ns, request.end_ns);
    totals.body_bytes += request.args[0];
    totals.response_bytes += request.response_bytes;
    if (blocks_known_) totals.allocated_bytes += request.allocated_bytes;
}

void Paths::forget_blocks() {
    blocks_known_ = false;
    by_site_.clear();
    for (Amount& held : held_) held = {};
    for (PathTotals& totals : paths_) totals.allocated_bytes = 0;
}

void Paths::hold(SiteIndex site, PathIndex path, Amount amount) {
    if (path >= paths_.size()) return;
    for (Amount* held : {&held_[path], &by_site_[std::uint64_t{site} << kPathBits | path]}) {
        held->bytes += amount.bytes;
        held->blocks += amount.blocks;
    }
}

void Paths::let_go(SiteIndex site, PathIndex path, Amount amount) {
    hold(site, path, {-amount.bytes, -amount.blocks});
}

std::vector<PathTotals> Paths::totals() const {
    std::vector<PathTotals> totals = paths_;
    for (std::size_t i = 0; i < totals.size(); ++i) {
        totals[i].held_bytes = whole(held_[i].bytes);
        totals[i].held_blocks = whole(held_[i].blocks);
    }
    return totals;
}

std::vector<SitePath> Paths::site_paths(const std::function<StackId(SiteIndex)>& stack_of) const {
    std::vector<SitePath> rows;
    for (const auto& [key, amount] : by_site_) {
        if (amount.blocks < 0.5) continue;
        rows.push_back({stack_of(static_cast<SiteIndex>(key >> kPathBits)),
                        static_cast<PathIndex>(key & ((1U << kPathBits) - 1)), whole(amount.bytes),
                        whole(amount.blocks)});
    }
    std::sort(rows.begin(), rows.end(), [](const SitePath& a, const SitePath& b) {
        if (a.held_bytes != b.held_bytes) return a.held_bytes > b.held_bytes;
        return std::tie(a.stack, a.path) < std::tie(b.stack, b.path);
    });
    if (rows.size() > kMaxSitePaths) rows.resize(kMaxSitePaths);
    return rows;
}

}  // namespace asrtrace::ledger
