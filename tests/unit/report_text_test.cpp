// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/text.h"

#include <algorithm>

#include "tests/unit/expect_in.h"
#include "tests/unit/trace_fixture.h"
#include "tests/unit/trace_sites.h"
#include "user/base/quantity.h"
#include "user/report/json.h"
#include "user/report/page.h"

namespace asrtrace::report {
namespace {

std::string report_of(const ledger::Recording& recording) {
    return text(recording, classify::analyze(recording));
}

ledger::Recording recorded_by(const trace::Script& script, bool hostile = false) {
    auto writer = trace::Writer::in_memory();
    trace::write_script(*writer, script);
    if (hostile) trace::write_hostile(*writer);
    EXPECT_TRUE(writer->finish());
    return *writer->read();
}

TEST(ReportText, FindingsComeFirst) {
    const auto text = report_of(recorded_by({}));
    expect_in(text, "changed by +7.26 MiB: +1.52 MiB that the program holds, +5.72 MiB that");
    expect_in(text, "1. LEAK, definite: 1.56 MiB, 4,096 B per request");
    expect_in(text, "by leak_plant  leak_plant.cpp:33  worker");
    expect_in(text, "nothing points to 399 of them");
    expect_in(text, "2. RETENTION, fragmentation, definite: 5.72 MiB");
    expect_in(text, "malloc_trim(0) would give back 4.77 MiB now");
    EXPECT_LT(text.find("FINDINGS"), text.find("THE BOOKS"));
    EXPECT_LT(text.find("THE BOOKS"), text.find("MEMORY"));
    expect_in(text, "p50 23.0 ms, p95 26.0 ms");
    expect_in(text, "96.8 % of the memory events belong to a request");
    expect_in(text, "not attached: calloc: no such symbol");
    expect_in(text, "[heuristic]");
}

TEST(ReportText, ThousandsOfFindingsAreTheFirstOnesAndTheirSum) {
    auto writer = trace::Writer::in_memory();
    trace::write_many_sites(*writer);
    EXPECT_TRUE(writer->finish());
    const auto recording = *writer->read();
    const auto analysis = classify::analyze(recording);
    ASSERT_GE(analysis.findings.size(), trace::kManySites) << "each site leaks";
    const auto page = text(recording, analysis);
    // Site i loses 16 + i bytes in ten requests; the ten largest are shown one by one.
    expect_in(page, "1. LEAK, probable: 195.9 KiB, 502 B per request");
    expect_in(page, "10. LEAK, probable: ");
    EXPECT_EQ(page.find("11. LEAK"), std::string::npos);
    double bytes = 0;
    for (std::uint32_t i = 0; i + 10 < trace::kManySites; ++i)
        bytes += (16 + i) * trace::kManySitesEpochs;
    expect_in(page, "... and 4,990 more of LEAK: " + asrtrace::bytes(bytes) + ", " +
                        asrtrace::bytes(bytes / (10 * trace::kManySitesEpochs)) +
                        " per request (--json lists them)");
    EXPECT_LT(std::count(page.begin(), page.end(), '\n'), 310);
    const auto whole = json(recording, analysis);
    expect_in(whole, "allocate_0\"");
    expect_in(whole, "\"leak-5000\"");
}

TEST(ReportText, NoGrowthAndTooLittleAreSaid) {
    auto recording = recorded_by({40, 10, 0});
    recording.readings.clear();
    expect_in(report_of(recording), "No growth of the heap per request shows: 0 B");
    expect_in(report_of(recording), "not measured: the heap was not read");
    recording = recorded_by({2, 10, 64});
    recording.readings.clear();
    expect_in(report_of(recording), "Too few requests to tell growth from chance");
    expect_in(report_of({}), "No completed requests");
    expect_in(report_of({}), "nothing lost");
}

TEST(ReportText, FitsThePageAndIsHarmless) {
    const auto text = report_of(recorded_by({}, true));
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        EXPECT_LE(columns_of(text.substr(at, end - at)), kPageColumns);
        at = end + 1;
    }
    const bool clean = std::none_of(text.begin(), text.end(), [](char c) {
        return (static_cast<unsigned char>(c) < 0x20 && c != '\n') || c == 0x7f;
    });
    EXPECT_TRUE(clean);
    EXPECT_EQ(text.find("\xe2\x80\xae"), std::string::npos) << "no bidirectional override";
}

TEST(ReportText, IntervalsAreNotCalledRequests) {
    auto recording = recorded_by({});
    recording.request_source = ledger::RequestSource::kEvery;
    recording.request_spec = "every:10";
    const auto text = report_of(recording);
    expect_in(text, "outlived their interval");
    EXPECT_EQ(text.find("latency"), std::string::npos);
}

}  // namespace
}  // namespace asrtrace::report
