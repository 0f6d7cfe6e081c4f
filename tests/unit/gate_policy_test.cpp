// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/gate/policy.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace asrtrace::gate {
namespace {

TEST(GatePolicy, WhatIsNotGivenIsBuiltIn) {
    const auto policy = parse_policy("", "p");
    ASSERT_TRUE(policy);
    EXPECT_EQ(policy->limit(Rule::kLeak).max, 0);
    EXPECT_EQ(policy->evidence.requests, 100U);
}

TEST(GatePolicy, AllKeys) {
    const auto policy = parse_policy(R"(
[evidence]
requests = 300
readings = 5
lost_events = 0.01
attach_failures = 1
sampling = true
[limits]
leak = { baseline_percent = 10, baseline_floor = 64 }
retained = { max = "1.5 MiB", baseline_percent = 20, baseline_floor = "8 KiB" }
pss = {}
[[suppress]]
function = "ort::*"
module = "libonnx*"
reason = "upstream 4711"
expires = 2027-02-28
)",
                                     "p");
    ASSERT_TRUE(policy) << policy.error().message;
    EXPECT_EQ(policy->evidence.requests, 300U);
    EXPECT_EQ(policy->evidence.readings, 5U);
    EXPECT_DOUBLE_EQ(policy->evidence.lost_events, 0.01);
    EXPECT_EQ(policy->evidence.attach_failures, 1U);
    EXPECT_TRUE(policy->evidence.sampling);
    EXPECT_FALSE(policy->limit(Rule::kLeak).max) << "a limit that is given replaces the built-in";
    EXPECT_DOUBLE_EQ(policy->limit(Rule::kLeak).over_baseline->floor, 64);
    EXPECT_EQ(policy->limit(Rule::kRetained).max, 1.5 * 1024 * 1024);
    EXPECT_DOUBLE_EQ(policy->limit(Rule::kRetained).over_baseline->floor, 8192);
    EXPECT_FALSE(policy->limit(Rule::kPss).given());
    ASSERT_EQ(policy->suppressions.size(), 1U);
    EXPECT_EQ(policy->suppressions[0].function, "ort::*");
    EXPECT_EQ(day_text(policy->suppressions[0].expires), "2027-02-28");
}

TEST(GatePolicy, RefusesWithLineAndKey) {
    const auto refused = [](const std::string& toml) {
        const auto policy = parse_policy(toml, "memory.toml");
        EXPECT_FALSE(policy) << toml;
        return policy ? std::string() : policy.error().message;
    };
    const auto names = [&](const std::string& toml, const std::string& part) {
        const auto message = refused(toml);
        EXPECT_NE(message.find(part), std::string::npos) << message;
        EXPECT_NE(message.find("memory.toml"), std::string::npos) << message;
    };
    names("[limits]\nlaek = { max = 0 }", "line 2: limits has no key \"laek\"");
    names("[limits]\nleak = { maximum = 0 }", "has no key \"maximum\"");
    names("limits = 3", "limits is no table");
    names("[limits]\nleak = { max = -1 }", "limits.leak.max: wants a number from 0 on");
    names("[limits]\nleak = { max = nan }", "wants a number from 0 on");
    names("[limits]\nleak = { max = \"8 MB\" }", "B, KiB, MiB or GiB");
    names("[limits]\nleak = { max = \"8 MiB more\" }", "B, KiB, MiB or GiB");
    names("[limits]\nleak = { max = \"much\" }", "not a number");
    names("[limits]\npss = { baseline_percent = 3 }", "go together");
    names("[evidence]\nrequests = 1.5", "evidence.requests");
    names("[evidence]\nsampling = 1", "true or false");
    names("suppress = 3", "[[suppress]]");
    names("[[suppress]]\nreason = \"x\"\nexpires = 2027-01-01", "a function or a module");
    names("[[suppress]]\nfunction = \"f\"\nexpires = 2027-01-01", "wants a reason");
    names("[[suppress]]\nfunction = \"f\"\nreason = \"x\"", "wants expires");
    names("[[suppress]]\nfunction = \"f\"\nreason = \"x\"\nexpires = \"2027-01-01\"",
          "without quotes");
    names("[limits\nleak = 3", "no valid TOML");
    names("leak = { max =", "line 1: no valid TOML: missing value");
    names("[[suppress]]\nfunction = \"f\"\nreason = \"x\"\nexpires = 2027-02-30", "memory.toml");
}

TEST(GatePolicy, APolicyThatChecksNothingIsRefused) {
    const auto built_in = built_in_policy();
    std::string toml = "\n[limits]\n";
    for (std::size_t i = 0; i < kRules; ++i)
        if (built_in.limits[i].given())
            toml += std::string(info(static_cast<Rule>(i)).name) + " = {}\n";
    const auto policy = parse_policy(toml, "memory.toml");
    ASSERT_FALSE(policy);
    EXPECT_EQ(policy.error().message,
              "memory.toml, line 2: every limit is switched off, nothing would be checked: give "
              "one, such as leak = { max = 0 }");
    EXPECT_TRUE(parse_policy(toml + "mapped = { max = 0 }\n", "memory.toml"));
}

TEST(GatePolicy, TheExampleOfTheDocumentationIsValid) {
    std::ifstream file(POLICY_DOCUMENT);
    std::stringstream text;
    text << file.rdbuf();
    const std::string all = text.str(), fence = "```toml\n";
    const auto begin = all.find(fence);
    ASSERT_NE(begin, std::string::npos);
    const auto from = begin + fence.size();
    const auto policy = parse_policy(all.substr(from, all.find("```", from) - from), "docs");
    ASSERT_TRUE(policy) << policy.error().message;
    EXPECT_EQ(policy->suppressions.size(), 1U);
    for (std::size_t i = 0; i < kRules; ++i)
        EXPECT_NE(all.find(std::string("`") + info(static_cast<Rule>(i)).name + "`"),
                  std::string::npos)
            << info(static_cast<Rule>(i)).name << " is not documented";
}

}  // namespace
}  // namespace asrtrace::gate
