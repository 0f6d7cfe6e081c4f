// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/json.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "tests/unit/trace_fixture.h"

namespace asrtrace::report {
namespace {

using Json = nlohmann::json;

Json json_of(const ledger::Recording& recording) {
    return Json::parse(json(recording, classify::analyze(recording)));
}

ledger::Recording recorded_from(bool hostile) {
    auto writer = trace::Writer::in_memory();
    if (hostile) trace::write_hostile(*writer);
    trace::write_script(*writer, {});
    EXPECT_TRUE(writer->finish());
    return *writer->read();
}

TEST(ReportJson, HoldsTheSchema) {
    const auto report = json_of(recorded_from(false));
    EXPECT_EQ(report["schema"], "asrtrace.report/1");
    for (const char* key :
         {"target", "window", "memory", "books", "epochs", "retention", "findings", "sites",
          "requests", "overhead", "losses", "counts", "notes", "faults"})
        EXPECT_TRUE(report.contains(key)) << key;
    EXPECT_EQ(report["books"].size(), 7U);
    EXPECT_EQ(report["books"][1]["class"], "heap.retained");
    EXPECT_EQ(report["books"][1]["delta"], 6'000'000);
    EXPECT_EQ(report["epochs"][0]["classes"]["unexplained"], -4096);
    EXPECT_EQ(report["retention"]["releasable"], 5'000'000);
    EXPECT_EQ(report["retention"]["arenas"][0]["pin"]["bytes"], 112);
    EXPECT_EQ(report["retention"]["arenas"][0]["pin"]["stack"][0]["function"], "decode");
    EXPECT_TRUE(report["retention"]["arenas"][1]["pin"].is_null());
    const auto& leak = report["findings"][0];
    EXPECT_EQ(leak["id"], "leak-1");
    EXPECT_EQ(leak["confidence"], "definite");
    EXPECT_EQ(leak["bytes"], 400 * 4096);
    EXPECT_EQ(leak["bytes_per_request"], 4096.0);
    EXPECT_EQ(leak["stack"][1]["function"], "leak_plant");
    EXPECT_EQ(report["findings"][1]["kind"], "retention");
    EXPECT_EQ(report["findings"][1]["subkind"], "fragmentation");
    EXPECT_TRUE(report["memory"]["rss_anon"]["delta"].is_number_integer());
    EXPECT_EQ(report["epochs"].size(), 40U);
    const auto& site = report["sites"][0];
    EXPECT_EQ(report["sites"].size(), 1U) << "only what outlives its request";
    EXPECT_EQ(site["bytes_per_request"], 4096.0);
    EXPECT_EQ(site["ci95"], Json::parse("[4096.0, 4096.0]"));
    EXPECT_EQ(site["live_bytes"], 400 * 4096);
    EXPECT_TRUE(site["live_bytes"].is_number_integer());
    EXPECT_EQ(site["stack"][1]["function"], "leak_plant");
    EXPECT_EQ(site["stack"][1]["line"], 33);
    EXPECT_EQ(site["stack"][1]["offset"], "0x1021");
    EXPECT_EQ(report["requests"]["source"], "usdt");
    EXPECT_EQ(report["requests"]["count"], 400);
    EXPECT_EQ(report["losses"]["stacks_truncated"], 3);
    EXPECT_EQ(report["losses"]["attach_failed"].size(), 2U);
    EXPECT_TRUE(report["overhead"]["trap_seconds_estimated"].is_null());
}

TEST(ReportJson, WhatWasNotMeasuredIsNull) {
    auto writer = trace::Writer::in_memory();
    ledger::Overhead overhead;
    overhead.tier = "watch";
    writer->set_overhead(overhead);
    ASSERT_TRUE(writer->finish());
    auto recording = *writer->read();
    auto report = json_of(recording);
    for (const char* key : {"memory", "books", "retention"}) EXPECT_TRUE(report[key].is_null());
    EXPECT_TRUE(report["findings"].empty());
    EXPECT_TRUE(report["sites"].is_null());
    EXPECT_TRUE(report["requests"].is_null());
    EXPECT_TRUE(report["target"]["libc"].is_null());
    recording.totals_known = false;
    recording.damage = {"counts, losses, overhead and notes"};
    report = json_of(recording);
    for (const char* key : {"counts", "overhead"}) EXPECT_TRUE(report[key].is_null());
    EXPECT_TRUE(report["losses"]["ring_events"].is_null());
    EXPECT_TRUE(report["losses"]["attach_failed"].is_null());
    EXPECT_EQ(report["losses"]["trace_damage"], Json(recording.damage));
}

TEST(ReportJson, HostileNamesAreHarmless) {
    const auto recording = recorded_from(true);
    const auto text = json(recording, classify::analyze(recording));
    const bool clean = std::none_of(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
    });
    EXPECT_TRUE(clean);
    EXPECT_TRUE(Json::accept(text)) << "valid UTF-8";
}

}  // namespace
}  // namespace asrtrace::report
