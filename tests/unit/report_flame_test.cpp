// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/flame_svg.h"
#include "user/report/flame_tree.h"
#include "user/report/folded.h"

#include "tests/unit/trace_fixture.h"

namespace asrtrace::report {
namespace {

ledger::Recording recorded(bool hostile = false) {
    auto writer = trace::Writer::in_memory();
    trace::write_script(*writer, {41, 10, 4096});
    if (hostile) trace::write_hostile(*writer);
    EXPECT_TRUE(writer->finish());
    return *writer->read();
}

std::string folded_of(const ledger::Recording& recording, FlameKind kind) {
    return folded(flame_of(recording, kind));
}

TEST(Folded, EachKindHasItsWeights) {
    auto recording = recorded();
    EXPECT_EQ(folded_of(recording, FlameKind::kGrowth),
              "main;serve;leak_plant;operator new(unsigned long) 1679360\n");
    EXPECT_EQ(folded_of(recording, FlameKind::kFaults), "main;touch 1679360\n");
    recording.site_epochs.back()[1].live_bytes = 5;
    EXPECT_EQ(folded_of(recording, FlameKind::kLive),
              "[truncated];main;decode 5\n"
              "main;serve;leak_plant;operator new(unsigned long) 1679360\n");
    EXPECT_TRUE(weighed_stacks({}, FlameKind::kLive).empty());
    EXPECT_FALSE(why_empty({}, FlameKind::kLive).empty());
    EXPECT_FALSE(flame_kind("leaks").has_value());
}

TEST(Folded, KindsOfFindings) {
    auto recording = recorded();
    EXPECT_EQ(folded_of(recording, FlameKind::kLeak),
              "main;serve;leak_plant;operator new(unsigned long) 1679360\n");
    EXPECT_EQ(folded_of(recording, FlameKind::kRetention), "[truncated];main;decode 6100000\n");
    EXPECT_EQ(folded_of(recording, FlameKind::kCache), "");
    EXPECT_EQ(why_empty(recording, FlameKind::kCache), "no finding is a cache");
    for (const auto kind : {FlameKind::kLive, FlameKind::kLeak, FlameKind::kRetention})
        EXPECT_EQ(flame_kind(flame_name(kind)), kind);
}

TEST(Folded, OfAFindingItsOwnBytes) {
    using classify::Finding;
    using classify::FindingKind;
    const auto recording = recorded();
    std::vector<Finding> findings;
    const auto add = [&](FindingKind kind, double bytes) {
        Finding& finding = findings.emplace_back();
        finding.kind = kind;
        finding.bytes = bytes;
        finding.stacks = {StackId(1)};
    };
    add(FindingKind::kLeak, 500'000);
    add(FindingKind::kCache, 1'179'360);
    add(FindingKind::kLeak, 100'000);
    const auto bytes_of = [&](FlameKind kind) {
        const auto stacks = weighed_stacks(recording, findings, kind);
        EXPECT_EQ(stacks.size(), 1U);
        return stacks.at(0).bytes;
    };
    EXPECT_EQ(bytes_of(FlameKind::kLeak), 600'000U) << "of followed children a share, say";
    EXPECT_EQ(bytes_of(FlameKind::kCache), 1'179'360U);
}

TEST(Folded, SemicolonsAndUnknownStacks) {
    ledger::Recording recording;
    recording.frames.push_back({"a;b c", "", 0, "", 0, false});
    recording.stacks = {{StackId(0), ledger::kStackFailed, {}}, {StackId(1), 0, {FrameId(0)}}};
    Flame flame;
    for (const auto& [stack, bytes] : {std::pair(0U, 3U), {1U, 4U}, {77U, 5U}})
        flame.stacks.push_back({flame_frames(recording, StackId(stack)), bytes});
    EXPECT_EQ(folded(flame), "[unknown] 8\na:b c 4\n");
}

TEST(FlameTree, BoxesNestAndNarrowOnesAreCounted) {
    const auto recording = recorded();
    std::vector<FlameStack> stacks;
    for (const auto& [stack, bytes] : {std::pair(1U, 600U), {2U, 399U}, {3U, 1U}})
        stacks.push_back({flame_frames(recording, StackId(stack)), bytes});
    const auto tree = flame_tree(stacks, 0.01, 100);
    EXPECT_LE(flame_tree(stacks, 0.01, 3).boxes.size(), 3U);
    EXPECT_EQ(flame_tree(stacks, 0.01, 0).boxes.size(), 1U);
    EXPECT_EQ(tree.total_width, 1000U);
    EXPECT_EQ(tree.omitted, 1U);
    EXPECT_EQ(tree.boxes.front().frame.name, "all");
    for (const auto& box : tree.boxes) {
        EXPECT_LE(box.begin + box.width, tree.total_width);
        EXPECT_LE(box.depth, tree.depth);
    }
}

/// The same worker, whose leak is another one: 100 bytes a request less by leak_plant, and 7 MiB by
/// a function that was not there.
ledger::Recording changed() {
    auto recording = recorded();
    recording.site_epochs.back()[0].outlived_bytes -= 41'000;
    recording.frames.push_back({"added", "", 0, "/usr/bin/worker", 0, false});
    const FrameId added(static_cast<std::uint32_t>(recording.frames.size() - 1));
    const StackId stack(static_cast<std::uint32_t>(recording.stacks.size()));
    recording.stacks.push_back({stack, 0, {added}});
    ledger::SiteEpoch site{.stack = stack};
    site.outlived_bytes = 7 << 20;
    recording.site_epochs.back().push_back(site);
    return recording;
}

TEST(FlameDifference, MoreAndLessByStack) {
    const auto flame = flame_difference(recorded(), changed(), FlameKind::kGrowth);
    EXPECT_EQ(folded(flame),
              "added 0 7340032\n"
              "main;serve;leak_plant;operator new(unsigned long) 1679360 1638360\n");
    const auto tree = flame_tree(flame.stacks, 0, 100);
    EXPECT_EQ(tree.total_width, 7340032U + 1679360U) << "what vanishes keeps its width";
    const auto svg = flame_svg(flame);
    const auto fill = [&](const std::string& name) {
        const auto at = svg.find("fill=\"", svg.find("data-label=\"" + name + "\"")) + 6;
        return svg.substr(at, svg.find('"', at) - at);
    };
    EXPECT_EQ(fill("added"), "hsl(4,80%,62%)") << "all of it is new: deep red";
    EXPECT_EQ(fill("leak_plant"), "hsl(212,80%,91%)") << "a little less: pale blue";
    EXPECT_NE(svg.find("1.60 MiB to 1.56 MiB: -41,000 B"), std::string::npos);
    const auto same = flame_svg(flame_difference(recorded(), recorded(), FlameKind::kGrowth));
    EXPECT_NE(same.find("hsl(4,0%,92%)"), std::string::npos);
    EXPECT_EQ(same.find("80%"), std::string::npos) << "nothing changed: no colour";
}

TEST(FlameSvg, IsOneFileWithoutCodeOfTheTargets) {
    const auto recording = recorded(true);
    const auto svg = flame_svg(flame_of(recording, FlameKind::kLive));
    EXPECT_NE(svg.find("leak_plant"), std::string::npos);
    EXPECT_EQ(svg.find("<script>alert"), std::string::npos);
    EXPECT_EQ(svg.find('\x1b'), std::string::npos);
    EXPECT_EQ(svg.find("\xef\xbf\xbf"), std::string::npos) << "not allowed in XML";
    std::size_t links = 0;
    for (std::size_t at = 0; (at = svg.find("http", at)) != std::string::npos; ++at) ++links;
    EXPECT_EQ(links, 2U) << "the two name spaces, no network";
    EXPECT_EQ(svg, flame_svg(flame_of(recording, FlameKind::kLive)));
}

}  // namespace
}  // namespace asrtrace::report
