// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/gate/verdict.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/unit/gate_fixture.h"
#include "tests/unit/trace_sites.h"

namespace asrtrace::gate {
namespace {

struct Formats {
    std::string text, json, junit, markdown;
};

Formats formats_of(const ledger::Recording& recording, Policy policy) {
    const auto analysis = classify::analyze(recording);
    const Subject subject{recording, analysis};
    const auto outcome = evaluate(subject, nullptr, policy, kToday);
    const std::string file = "x.asrtrace";
    const Shown shown{subject, policy, outcome, file};
    return {verdict_text(shown), verdict_json(shown), verdict_junit(shown),
            verdict_markdown(shown)};
}

TEST(GateVerdict, EachFormatSaysWhatFailed) {
    auto policy = built_in_policy();
    policy.suppressions = {{"gone_*", "", "ticket 7", Day{}}};
    const auto formats = formats_of(recorded(4096), policy);
    for (const auto& text : {formats.text, formats.junit}) {
        EXPECT_NE(text.find("leak-1: leak_plant  leak_plant.cpp:33  worker"), std::string::npos)
            << text;
        EXPECT_NE(text.find("4,096 B per request"), std::string::npos) << text;
    }
    EXPECT_NE(formats.text.find("expired, counts no more: function gone_*: ticket 7"),
              std::string::npos)
        << formats.text;
    EXPECT_NE(formats.junit.find("failures=\"1\""), std::string::npos);
    EXPECT_NE(formats.junit.find("<failure type=\"limit\""), std::string::npos);
    EXPECT_NE(formats.junit.find("no baseline was given\"/>"), std::string::npos);
    EXPECT_NE(formats.markdown.find("❌ asrtrace check: FAIL"), std::string::npos);
    EXPECT_NE(formats.markdown.find("leak\\_plant"), std::string::npos) << formats.markdown;
    const auto json = nlohmann::json::parse(formats.json);
    EXPECT_EQ(json["schema"], "asrtrace.check/1");
    EXPECT_EQ(json["verdict"], "FAIL");
    ASSERT_EQ(json["violations"].size(), 1U);
    EXPECT_EQ(json["violations"][0]["rule"], "leak");
    EXPECT_EQ(json["violations"][0]["finding"]["id"], "leak-1");
    EXPECT_EQ(json["violations"][0]["value"], 4096);
    EXPECT_EQ(json["expired"][0]["reason"], "ticket 7");
}

TEST(GateVerdict, ThousandsOfViolationsAreTwentyAndTheirNumber) {
    auto writer = trace::Writer::in_memory();
    trace::write_many_sites(*writer);
    ASSERT_TRUE(writer->finish());
    auto recording = *writer->read();
    recording.losses.attach_failed.clear();
    const auto formats = formats_of(recording, only(Rule::kLeak, {.max = 0}));
    EXPECT_LT(std::ranges::count(formats.text, '\n'), 100);
    EXPECT_NE(formats.text.find("leak-20:"), std::string::npos);
    EXPECT_EQ(formats.text.find("leak-21:"), std::string::npos);
    for (const auto& text : {formats.text, formats.markdown})
        EXPECT_NE(text.find("4,980 more of leak, FAIL at the worst"), std::string::npos) << text;
    EXPECT_NE(formats.junit.find("failures=\"5000\""), std::string::npos);
    EXPECT_EQ(nlohmann::json::parse(formats.json)["violations"].size(), 5000U);
}

TEST(GateVerdict, HostileNamesAreText) {
    auto recording = recorded(4096, 40, true);
    for (auto& frame : recording.frames)
        if (frame.function == "leak_plant") frame.function = trace::hostile_name();
    auto policy = built_in_policy();
    policy.suppressions = {{trace::hostile_name(), "", trace::hostile_name() + "|", Day{}}};
    const auto formats = formats_of(recording, policy);
    ASSERT_NE(formats.text.find("alert"), std::string::npos) << "the name is shown";
    for (const auto& text : {formats.text, formats.json, formats.junit, formats.markdown}) {
        const bool control = std::ranges::any_of(text, [](char c) {
            return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
        });
        EXPECT_FALSE(control) << text;
        EXPECT_EQ(text.find("\xff"), std::string::npos) << text;
    }
    EXPECT_TRUE(nlohmann::json::accept(formats.json));
    for (const auto& text : {formats.junit, formats.markdown})
        EXPECT_EQ(text.find("<script"), std::string::npos) << text;
    for (const auto& text : {formats.text, formats.markdown})
        EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos) << "no bidirectional override";
    // Rows of the table: five unescaped bars each, no more.
    for (std::size_t at = formats.markdown.find("\n| "); at != std::string::npos;
         at = formats.markdown.find("\n| ", at + 1)) {
        const auto row = formats.markdown.substr(at + 1, formats.markdown.find('\n', at + 1) - at);
        std::size_t bars = 0;
        for (std::size_t i = 0; i < row.size(); ++i)
            bars += row[i] == '|' && (i == 0 || row[i - 1] != '\\') ? 1 : 0;
        EXPECT_EQ(bars, 5U) << row;
    }
}

}  // namespace
}  // namespace asrtrace::gate
