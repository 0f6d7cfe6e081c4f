// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/compare/compare.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/unit/trace_script.h"

namespace asrtrace::compare {
namespace {

ledger::Recording recorded(std::uint64_t leak_bytes) {
    auto writer = trace::Writer::in_memory();
    trace::write_script(*writer, {.leak_bytes = leak_bytes});
    EXPECT_TRUE(writer->finish());
    return *writer->read();
}

/// The same program built anew: other addresses, other lines, stacks in another order.
ledger::Recording rebuilt(ledger::Recording recording) {
    for (auto& frame : recording.frames) {
        frame.module_offset += 0x4000;
        frame.line += frame.line == 0 ? 0 : 100;
    }
    std::swap(recording.stacks[1], recording.stacks[2]);
    for (auto& epoch : recording.site_epochs)
        for (auto& site : epoch)
            if (site.stack.value == 1 || site.stack.value == 2)
                site.stack = StackId(3 - site.stack.value);
    return recording;
}

struct Both {
    Both(ledger::Recording old_one, ledger::Recording new_one)
        : base(std::move(old_one)), now(std::move(new_one)) {}
    ledger::Recording base, now;
    classify::Analysis base_analysis = classify::analyze(base);
    classify::Analysis now_analysis = classify::analyze(now);
    Side left{base, base_analysis}, right{now, now_analysis};
    Difference difference = compare(left, right);
};

TEST(Compare, AnotherBuildOfTheSameIsTheSame) {
    const Both both(recorded(4096), rebuilt(recorded(4096)));
    for (const auto& change : both.difference.findings) {
        EXPECT_TRUE(change.base && change.now);
        EXPECT_DOUBLE_EQ(change.base_rate, change.now_rate);
    }
    ASSERT_EQ(both.difference.sites.size(), 1U) << "the other site outlives nothing";
    EXPECT_DOUBLE_EQ(both.difference.sites[0].base_rate, 4096);
    EXPECT_DOUBLE_EQ(both.difference.sites[0].now_rate, 4096);
    const auto text = compare_text(both.left, both.right, both.difference);
    const auto sites =
        text.substr(text.find("\nSITES"), text.find("\nTHE BOOKS") - text.find("\nSITES"));
    EXPECT_EQ(sites.find("leak_plant"), std::string::npos) << sites;
    EXPECT_NE(sites.find("1 that changed by less than a byte"), std::string::npos) << sites;
}

TEST(Compare, DamageOfEitherSideIsSaid) {
    auto cut = recorded(4096);
    cut.damage = {"epochs 3 to \x1b 40"};
    const Both both(std::move(cut), recorded(4096));
    const auto text = compare_text(both.left, both.right, both.difference);
    const auto head = text.substr(0, text.find("\nFINDINGS"));
    EXPECT_NE(head.find("DAMAGED TRACE (base), missing: epochs 3 to \\x1b 40"), std::string::npos)
        << head;
    EXPECT_EQ(head.find("(new)"), std::string::npos) << head;
    const auto json = nlohmann::json::parse(compare_json(both.left, both.right, both.difference));
    EXPECT_EQ(json["trace_damage"]["base"].size(), 1U);
    EXPECT_TRUE(json["trace_damage"]["new"].empty());
}

TEST(Compare, TheOneChangedSiteComesFirst) {
    auto now = rebuilt(recorded(4096));
    const auto extra = StackId(static_cast<std::uint32_t>(now.stacks.size()));
    now.frames.push_back(trace::frame("new_leak", 8));
    now.stacks.push_back({extra, 0, {FrameId(static_cast<std::uint32_t>(now.frames.size() - 1))}});
    for (std::uint64_t i = 0; i < now.site_epochs.size(); ++i) {
        ledger::SiteEpoch site;
        site.stack = extra;
        site.live_blocks = site.outlived_blocks = (i + 1) * 10;
        site.live_bytes = site.outlived_bytes = site.outlived_blocks * 256;
        now.site_epochs[i].push_back(site);
    }
    const Both both(recorded(4096), now);
    ASSERT_EQ(both.difference.sites.size(), 2U);
    const SiteChange& first = both.difference.sites.front();
    EXPECT_FALSE(first.base);
    EXPECT_EQ(first.now, extra);
    EXPECT_DOUBLE_EQ(first.now_rate, 256);
    EXPECT_DOUBLE_EQ(both.difference.sites[1].now_rate - both.difference.sites[1].base_rate, 0);
    const auto text = compare_text(both.left, both.right, both.difference);
    EXPECT_NE(text.find("+256 B          0 B        256 B  new  new_leak"), std::string::npos)
        << text;
}

TEST(Compare, BooksByGrowthPerRequest) {
    auto now = recorded(4096);
    for (auto& reading : now.readings) reading.books.stack += reading.requests * 1000;
    const Both both(recorded(4096), now);
    ASSERT_EQ(both.difference.books.size(), 7U);
    EXPECT_EQ(both.difference.books[0].name, "stack");
    EXPECT_DOUBLE_EQ(both.difference.books[0].now_rate, 1000);
    EXPECT_DOUBLE_EQ(both.difference.books[1].now_rate, both.difference.books[1].base_rate);
    now.readings.clear();
    EXPECT_TRUE(Both(recorded(4096), now).difference.books.empty());
}

TEST(Compare, WhatIsGoneIsNamed) {
    const Both both(recorded(4096), recorded(0));
    ASSERT_FALSE(both.difference.findings.empty());
    EXPECT_TRUE(both.difference.findings[0].base);
    EXPECT_FALSE(both.difference.findings[0].now);
    const auto json = nlohmann::json::parse(compare_json(both.left, both.right, both.difference));
    EXPECT_EQ(json["schema"], "asrtrace.diff/1");
    EXPECT_EQ(json["findings"][0]["kind"], "leak");
    EXPECT_EQ(json["findings"][0]["base"], "leak-1");
    EXPECT_TRUE(json["findings"][0]["new"].is_null());
    EXPECT_EQ(json["findings"][0]["bytes_per_request"]["delta"], -4096);
}

TEST(Compare, HostileNamesAreText) {
    auto hostile = recorded(4096);
    for (auto& frame : hostile.frames)
        if (frame.function == "leak_plant") frame.function = trace::hostile_name();
    const Both both(recorded(4096), std::move(hostile));
    const auto text = compare_text(both.left, both.right, both.difference);
    ASSERT_NE(text.find("title"), std::string::npos) << text;
    EXPECT_TRUE(std::ranges::none_of(text, [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
    }));
    EXPECT_TRUE(nlohmann::json::accept(compare_json(both.left, both.right, both.difference)));
}

}  // namespace
}  // namespace asrtrace::compare
