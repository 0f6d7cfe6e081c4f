// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/flame_svg.h"
#include "user/report/flame_tree.h"

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
    return folded(recording, weighed_stacks(recording, kind));
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

TEST(Folded, SemicolonsAndUnknownStacks) {
    ledger::Recording recording;
    recording.frames.push_back({"a;b c", "", 0, "", 0, false});
    recording.stacks = {{StackId(0), ledger::kStackFailed, {}}, {StackId(1), 0, {FrameId(0)}}};
    EXPECT_EQ(folded(recording, {{StackId(0), 3}, {StackId(1), 4}, {StackId(77), 5}}),
              "[unknown] 8\na:b c 4\n");
}

TEST(FlameTree, BoxesNestAndNarrowOnesAreCounted) {
    const auto recording = recorded();
    const std::vector<WeighedStack> stacks{{StackId(1), 600}, {StackId(2), 399}, {StackId(3), 1}};
    const auto tree = flame_tree(recording, stacks, 0.01, 100);
    EXPECT_LE(flame_tree(recording, stacks, 0.01, 3).boxes.size(), 3U);
    EXPECT_EQ(flame_tree(recording, stacks, 0.01, 0).boxes.size(), 1U);
    EXPECT_EQ(tree.total_bytes, 1000U);
    EXPECT_EQ(tree.omitted, 1U);
    EXPECT_EQ(tree.boxes.front().frame.name, "all");
    for (const auto& box : tree.boxes) {
        EXPECT_LE(box.begin + box.bytes, tree.total_bytes);
        EXPECT_LE(box.depth, tree.depth);
    }
}

TEST(FlameSvg, IsOneFileWithoutCodeOfTheTargets) {
    const auto recording = recorded(true);
    const auto svg =
        flame_svg(recording, weighed_stacks(recording, FlameKind::kLive), FlameKind::kLive);
    EXPECT_NE(svg.find("leak_plant"), std::string::npos);
    EXPECT_EQ(svg.find("<script>alert"), std::string::npos);
    EXPECT_EQ(svg.find('\x1b'), std::string::npos);
    EXPECT_EQ(svg.find("\xef\xbf\xbf"), std::string::npos) << "not allowed in XML";
    std::size_t links = 0;
    for (std::size_t at = 0; (at = svg.find("http", at)) != std::string::npos; ++at) ++links;
    EXPECT_EQ(links, 2U) << "the two name spaces, no network";
    EXPECT_EQ(svg,
              flame_svg(recording, weighed_stacks(recording, FlameKind::kLive), FlameKind::kLive));
}

}  // namespace
}  // namespace asrtrace::report
