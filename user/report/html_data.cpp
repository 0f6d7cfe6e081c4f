// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/html_data.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <vector>

#include "user/base/escape.h"
#include "user/base/path.h"
#include "user/classify/series.h"
#include "user/report/flame_stacks.h"
#include "user/report/json_document.h"
#include "user/report/names.h"
#include "user/report/sources.h"

namespace asrtrace::report {
namespace {

using classify::Point;
using classify::Site;
using classify::Slope;
using ledger::Recording;
using ledger::SiteKind;

constexpr std::size_t kCurvePoints = 50;

/// Indexes of at most `most` of `count` things, the first and the last among them.
std::vector<std::size_t> spread(std::size_t count, std::size_t most) {
    std::vector<std::size_t> out;
    if (count <= most) {
        for (std::size_t i = 0; i < count; ++i) out.push_back(i);
        return out;
    }
    for (std::size_t k = 0; k < most; ++k) out.push_back(k * (count - 1) / (most - 1));
    return out;
}

/// Frames and stacks, each kept once.
class StackTable {
  public:
    explicit StackTable(const Recording& recording) : recording_(recording) {}

    std::size_t stack(StackId id) {
        const auto [at, added] = stack_ids_.try_emplace(id, stacks_.size());
        if (!added) return at->second;
        Json frames = Json::array();
        for (const auto& frame : flame_frames(recording_, id)) frames.push_back(this->frame(frame));
        stacks_.push_back(std::move(frames));
        return at->second;
    }

    std::size_t frame(const FlameFrame& frame) {
        auto name = shorten_function(frame.name);
        const auto [at, added] =
            frame_ids_.try_emplace({name, frame.location, frame.module}, frames_.size());
        if (added)
            frames_.push_back(Json::array(
                {escape_invalid(name), escape_invalid(frame.location), module(frame.module)}));
        return at->second;
    }

    /// Whom a stack is blamed on: a frame.
    Json culprit(StackId id) {
        const auto* frame = culprit_of(frames_of(recording_, id));
        if (frame == nullptr) return nullptr;
        return this->frame(
            {function_of(*frame), location_of(*frame), std::string(basename_of(frame->module))});
    }

    void put(Json& out) {
        out["modules"] = std::move(modules_);
        out["frames"] = std::move(frames_);
        out["stacks"] = std::move(stacks_);
    }

  private:
    std::size_t module(const std::string& name) {
        const auto [at, added] = module_ids_.try_emplace(name, modules_.size());
        if (added) modules_.push_back(escape_invalid(name));
        return at->second;
    }

    const Recording& recording_;
    std::map<StackId, std::size_t> stack_ids_;
    std::map<std::tuple<std::string, std::string, std::string>, std::size_t> frame_ids_;
    std::map<std::string, std::size_t> module_ids_;
    Json modules_ = Json::array(), frames_ = Json::array(), stacks_ = Json::array();
};

Json readings(const Recording& recording) {
    if (recording.readings.empty()) return nullptr;
    Json t = Json::array(), requests = Json::array(), classes;
    for (const auto& reading : recording.readings) {
        t.push_back(static_cast<double>(reading.t_ns) / 1e9);
        requests.push_back(reading.requests);
        for (const auto& [name, value] : book_classes(reading.books))
            classes[name].push_back(value);
    }
    return {{"t", std::move(t)}, {"requests", std::move(requests)}, {"classes", classes}};
}

Json samples(const Recording& recording) {
    Json t = Json::array(), rss_anon = Json::array();
    for (const std::size_t i : spread(recording.samples.size(), kMaxPageSamples)) {
        t.push_back(static_cast<double>(recording.samples[i].t_ns) / 1e9);
        rss_anon.push_back(recording.samples[i].rss_anon_kb * 1024);
    }
    return {{"t", std::move(t)}, {"rss_anon", std::move(rss_anon)}};
}

void put_line(Json& out, const std::optional<Slope>& slope) {
    out["slope"] = slope ? Json(slope->value) : Json(nullptr);
    out["ci95"] =
        slope && slope->ci95 ? Json::array({slope->ci95->lo, slope->ci95->hi}) : Json(nullptr);
}

Json level(const char* name, const std::vector<Point>& points, const std::optional<Slope>& slope) {
    Json x = Json::array(), y = Json::array();
    for (const auto& point : points) {
        x.push_back(point.x);
        y.push_back(point.y);
    }
    Json out{{"name", name}, {"x", std::move(x)}, {"y", std::move(y)}};
    put_line(out, slope);
    return out;
}

Json levels(const classify::Summary& summary) {
    Json out = Json::array();
    if (!summary.outlived.empty())
        out.push_back(
            level("Heap that outlived its request", summary.outlived, summary.heap_per_request));
    if (!summary.rss_anon.empty())
        out.push_back(level("RssAnon", summary.rss_anon, summary.rss_anon_per_request));
    return out;
}

Json flame(const Recording& recording, const std::vector<classify::Finding>& findings,
           FlameKind kind, StackTable& table) {
    auto weighed = weighed_stacks(recording, findings, kind);
    Json out{{"kind", flame_name(kind)}, {"title", flame_title(kind)}};
    if (weighed.empty()) {
        out["empty"] = escape_invalid(why_empty(recording, kind));
        return out;
    }
    std::stable_sort(weighed.begin(), weighed.end(),
                     [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
    std::uint64_t rest = 0;
    Json stacks = Json::array(), bytes = Json::array();
    for (std::size_t i = 0; i < weighed.size(); ++i) {
        if (i >= kMaxPageFlameStacks) {
            rest += weighed[i].bytes;
            continue;
        }
        stacks.push_back(table.stack(weighed[i].stack));
        bytes.push_back(weighed[i].bytes);
    }
    out["stacks"] = std::move(stacks);
    out["bytes"] = std::move(bytes);
    out["rest_bytes"] = rest;
    return out;
}

Json flames(const Recording& recording, const std::vector<classify::Finding>& findings,
            StackTable& table) {
    Json out = Json::array();
    for (const auto kind : {FlameKind::kGrowth, FlameKind::kLeak, FlameKind::kCache,
                            FlameKind::kRetention, FlameKind::kLive, FlameKind::kFaults})
        out.push_back(flame(recording, findings, kind, table));
    return out;
}

class SiteLists {
  public:
    SiteLists(const Recording& recording, StackTable& table)
        : recording_(recording),
          table_(table),
          grid_(recording),
          histories_(classify::site_histories(recording)),
          at_(spread(grid_.size() + 1, kCurvePoints)) {}

    Json list(const char* title, SiteKind kind, const std::vector<Site>& sites) {
        Json rows = Json::array();
        std::size_t omitted = 0;
        for (const auto& site : sites) {
            if (kind != SiteKind::kFault && site.outlived_bytes == 0 && site.outlived_blocks == 0)
                continue;
            if (rows.size() >= kMaxPageSites)
                ++omitted;
            else
                rows.push_back(row(kind, site));
        }
        return {{"title", title}, {"rows", std::move(rows)}, {"omitted", omitted}};
    }

    /// Requests at the points of all curves.
    Json requests() const {
        Json out = Json::array();
        const auto points = grid_.points({});
        for (const std::size_t i : at_) out.push_back(points[i].x);
        return out;
    }

  private:
    Json row(SiteKind kind, const Site& site) {
        Json out;
        out["stack"] = table_.stack(site.stack);
        out["culprit"] = table_.culprit(site.stack);
        out["marks"] = marks_of(recording_, site.stack);
        const bool faults = kind == SiteKind::kFault;
        out["bytes"] = faults ? site.allocated_bytes : site.outlived_bytes;
        out["blocks"] = faults ? site.allocated_blocks : site.outlived_blocks;
        out["live"] = site.live_bytes;
        put_line(out, site.per_request);
        Json curve = Json::array();
        const auto points = grid_.points(histories_.at({kind, site.stack}).changes);
        for (const std::size_t i : at_) curve.push_back(static_cast<std::uint64_t>(points[i].y));
        out["curve"] = std::move(curve);
        return out;
    }

    const Recording& recording_;
    StackTable& table_;
    classify::Grid grid_;
    std::map<classify::SiteKey, classify::SiteHistory> histories_;
    std::vector<std::size_t> at_;
};

/// ASCII for all that ends a script element or begins a comment in it.
std::string inside_script(const std::string& json) {
    std::string out;
    out.reserve(json.size());
    for (const char c : json) {
        if (c == '<')
            out += "\\u003c";
        else if (c == '>')
            out += "\\u003e";
        else if (c == '&')
            out += "\\u0026";
        else
            out += c;
    }
    return out;
}

}  // namespace

std::string html_data(const Recording& recording, const classify::Analysis& analysis) {
    StackTable table(recording);
    Json out;
    const std::size_t findings = std::min(analysis.findings.size(), kMaxPageFindings);
    out["report"] = document(recording, analysis, {.sites = 0, .findings = findings});
    out["findings_omitted"] = analysis.findings.size() - findings;
    out["damage"] = Json::array();
    for (const auto& damage : recording.damage) out["damage"].push_back(escape_invalid(damage));
    out["losses"] = Json::array();
    for (const auto& [name, value] : loss_counters(recording.losses))
        out["losses"].push_back({{"count", value}, {"meaning", loss_meaning(name)}});
    out["readings"] = readings(recording);
    out["samples"] = samples(recording);
    out["levels"] = levels(analysis.summary);
    out["culprits"] = Json::array();
    for (std::size_t i = 0; i < findings; ++i) {
        const auto& stacks = analysis.findings[i].stacks;
        out["culprits"].push_back(stacks.empty() ? Json(nullptr) : table.culprit(stacks.front()));
    }
    out["pin_culprits"] = Json::array();
    for (const auto& arena : recording.arenas)
        out["pin_culprits"].push_back(table.culprit(arena.pin_stack));
    out["flames"] = flames(recording, analysis.findings, table);
    SiteLists lists(recording, table);
    out["site_requests"] = lists.requests();
    out["sites"] = Json::array(
        {lists.list("Heap that outlived its request", SiteKind::kHeap, analysis.summary.heap),
         lists.list("Address space mapped", SiteKind::kMapped, analysis.summary.mapped),
         lists.list("Memory touched for the first time", SiteKind::kFault,
                    analysis.summary.faults)});
    table.put(out);
    return inside_script(out.dump(-1, ' ', true, Json::error_handler_t::replace));
}

}  // namespace asrtrace::report
