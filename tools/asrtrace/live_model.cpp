// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/live_model.h"

#include <utility>

#include "user/base/escape.h"
#include "user/base/path.h"
#include "user/report/names.h"

namespace asrtrace {
namespace {

constexpr std::size_t kMostPoints = 2048;

}  // namespace

void LiveModel::add_stack(StackId id, std::uint32_t flags,
                          const std::vector<ledger::Frame>& frames) {
    std::vector<const ledger::Frame*> pointers;
    pointers.reserve(frames.size());
    for (const auto& frame : frames) pointers.push_back(&frame);
    const auto* culprit = report::culprit_of(pointers);
    if (culprit == nullptr) {
        const bool before = (flags & ledger::kStackBeforeAttach) != 0;
        names_[id] = before ? "[before attach]" : "[unknown]";
        return;
    }
    std::string name = report::shorten_function(report::function_of(*culprit));
    for (const auto& part :
         {report::location_of(*culprit), std::string(basename_of(culprit->module))})
        if (!part.empty()) name += "  " + part;
    names_[id] = escape_terminal(name, 400);
}

void LiveModel::add_sample(const ledger::ProcSample& sample) {
    rss_anon_bytes_ = sample.rss_anon_kb * 1024;
}

void LiveModel::add_reading(const ledger::Reading& reading) {
    ++readings_;
    if (!first_reading_) first_reading_ = reading;
    last_reading_ = reading;
}

void LiveModel::add_epoch(const ledger::EpochRecord& record) {
    for (const auto& site : record.sites) {
        if (site.kind != ledger::SiteKind::kHeap) continue;
        LiveSite& known = sites_[site.stack];
        outlived_bytes_ += site.outlived_bytes - known.outlived_bytes;
        known = {site.live_bytes, site.outlived_bytes, site.outlived_blocks, site.stack};
    }
    history_.push_back({record.epoch.requests, outlived_bytes_, rss_anon_bytes_});
    if (history_.size() < kMostPoints) return;
    for (std::size_t i = 0; i < history_.size() / 2; ++i) history_[i] = history_[2 * i + 1];
    history_.resize(history_.size() / 2);
}

std::vector<LiveSite> LiveModel::sites() const {
    std::vector<LiveSite> out;
    for (const auto& [stack, site] : sites_)
        if (site.outlived_bytes != 0) out.push_back(site);
    return out;
}

std::string LiveModel::where(StackId stack) const {
    const auto found = names_.find(stack);
    return found == names_.end() ? "[not yet named]" : found->second;
}

}  // namespace asrtrace
