// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/compare/compare.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "user/base/path.h"
#include "user/classify/culprit.h"
#include "user/report/sources.h"

namespace asrtrace::compare {
namespace {

using classify::Finding;
using ledger::Frame;
using ledger::Recording;

/// A function by its name; code without one is known by its module alone, its offset moves.
std::string name_of(const Frame& frame) {
    return frame.function + '\n' + std::string(basename_of(frame.module)) + '\n';
}

std::string stack_name(const Recording& recording, StackId stack) {
    std::string name;
    for (const Frame* frame : classify::frames_of(recording, stack)) name += name_of(*frame);
    return name;
}

std::string finding_name(const Side& side, const Finding& finding) {
    std::string name = std::string(classify::kind_name(finding.kind)) + '\n';
    if (finding.stacks.empty() || finding.kind == classify::FindingKind::kRetention ||
        finding.kind == classify::FindingKind::kWarmup)
        return name;
    const auto* culprit =
        classify::culprit_of(classify::frames_of(side.recording, finding.stacks.front()));
    return culprit == nullptr ? name : name + name_of(*culprit);
}

double rate_of(const std::optional<classify::Slope>& slope) {
    return slope ? slope->value : 0;
}

template <typename Change>
std::vector<Change> most_changed_first(std::map<std::string, Change>& by_name) {
    std::vector<Change> changes;
    changes.reserve(by_name.size());
    for (auto& [name, change] : by_name) changes.push_back(std::move(change));
    std::ranges::stable_sort(changes, std::ranges::greater(), [](const Change& change) {
        return std::abs(change.now_rate - change.base_rate);
    });
    return changes;
}

std::vector<FindingChange> finding_changes(const Side& base, const Side& now) {
    std::map<std::string, FindingChange> changes;
    const auto add = [&](const Side& side, std::optional<std::size_t> FindingChange::*index,
                         double FindingChange::*bytes, double FindingChange::*rate) {
        for (std::size_t i = 0; i < side.analysis.findings.size(); ++i) {
            const Finding& finding = side.analysis.findings[i];
            FindingChange& change = changes[finding_name(side, finding)];
            if (!(change.*index)) change.*index = i;
            change.*bytes += finding.bytes;
            change.*rate += rate_of(finding.per_request);
        }
    };
    add(base, &FindingChange::base, &FindingChange::base_bytes, &FindingChange::base_rate);
    add(now, &FindingChange::now, &FindingChange::now_bytes, &FindingChange::now_rate);
    return most_changed_first(changes);
}

std::vector<SiteChange> site_changes(const Side& base, const Side& now) {
    std::map<std::string, SiteChange> changes;
    const auto add = [&](const Side& side, std::optional<StackId> SiteChange::*stack,
                         std::uint64_t SiteChange::*bytes, double SiteChange::*rate) {
        for (const classify::Site& site : side.analysis.summary.heap) {
            SiteChange& change = changes[stack_name(side.recording, site.stack)];
            if (!(change.*stack)) change.*stack = site.stack;
            change.*bytes += site.outlived_bytes;
            change.*rate += rate_of(site.per_request);
        }
    };
    add(base, &SiteChange::base, &SiteChange::base_bytes, &SiteChange::base_rate);
    add(now, &SiteChange::now, &SiteChange::now_bytes, &SiteChange::now_rate);
    std::erase_if(changes, [](const auto& each) {
        const SiteChange& change = each.second;
        return change.base_bytes == 0 && change.now_bytes == 0;
    });
    return most_changed_first(changes);
}

std::vector<BookChange> book_changes(const Recording& base, const Recording& now) {
    if (base.readings.empty() || now.readings.empty()) return {};
    std::map<std::string, BookChange> changes;
    const auto add = [&](const Recording& recording, std::int64_t BookChange::*level,
                         double BookChange::*rate) {
        const auto& first = recording.readings.front();
        const auto& last = recording.readings.back();
        const auto requests = static_cast<double>(last.requests - first.requests);
        const auto from = report::book_classes(first.books);
        const auto to = report::book_classes(last.books);
        for (std::size_t i = 0; i < to.size(); ++i) {
            BookChange& change = changes[to[i].first];
            change.name = to[i].first;
            change.*level = to[i].second;
            if (requests > 0)
                change.*rate = static_cast<double>(to[i].second - from[i].second) / requests;
        }
    };
    add(base, &BookChange::base_last, &BookChange::base_rate);
    add(now, &BookChange::now_last, &BookChange::now_rate);
    return most_changed_first(changes);
}

}  // namespace

Difference compare(const Side& base, const Side& now) {
    return {finding_changes(base, now), site_changes(base, now),
            book_changes(base.recording, now.recording)};
}

}  // namespace asrtrace::compare
