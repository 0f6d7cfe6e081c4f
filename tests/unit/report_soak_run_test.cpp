// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What is said of a run that made its load itself: why memory grew, what became of the requests.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/expect_in.h"
#include "tests/unit/soak_fixture.h"
#include "user/report/soak.h"
#include "user/report/soak_why.h"

namespace asrtrace::report {
namespace {

using classify::Finding;
using classify::FindingKind;
using soak::SyntheticRun;
using Json = nlohmann::json;

constexpr std::uint64_t kMib = 1 << 20;

SyntheticRun grown() {
    return {.pss = {1, 500'000, 1'000'000, 1'000'000}, .rss_anon = {1, 400'000, 900'000, 900'000}};
}

/// Read in the middle of early and late, where retained and live memory have grown by so much.
ledger::Recording read_twice(std::uint64_t retained, std::uint64_t live) {
    ledger::Recording recording;
    recording.request_source = ledger::RequestSource::kUsdt;
    recording.requests_completed = 3600;
    recording.stacks.resize(2);
    recording.frames.resize(1);
    recording.frames[0].function = "worker::keep(int)";
    recording.stacks[1].frames = {FrameId(0)};
    recording.samples.resize(1);
    recording.samples[0].t_ns = 10'000'000'000;  // the first row
    for (const auto& [second, part] : {std::pair(760, 0), std::pair(3760, 1)}) {
        ledger::Reading reading;
        reading.t_ns = static_cast<std::uint64_t>(second) * 1'000'000'000;
        const auto times = static_cast<std::uint64_t>(part);
        reading.books.heap_retained = 5 * kMib + times * retained;
        reading.books.heap_live = 300 * kMib + times * live;
        reading.releasable = 3 * kMib;
        recording.readings.push_back(reading);
    }
    return recording;
}

Finding finding(FindingKind kind, double bytes_per_request) {
    Finding out;
    out.kind = kind;
    out.bytes = 3600 * bytes_per_request;
    out.per_request = classify::Slope{.value = bytes_per_request, .ci95 = {}};
    out.confidence = classify::Confidence::kDefinite;
    out.stacks = {StackId(1)};
    return out;
}

std::string why(const SyntheticRun& run, const ledger::Recording& recording,
                std::vector<Finding> findings) {
    std::string text;
    const classify::Analysis analysis{.summary = {}, .findings = std::move(findings)};
    for (const auto& sentence : soak_why(soak::judged(run), recording, analysis, 2))
        text += sentence + "\n";
    return text;
}

TEST(SoakWhy, AFailThatIsAllRetention) {
    const auto text = why(grown(), read_twice(490 * kMib, 0), {});
    expect_in(text, "100.0 % of the growth is retention");
    expect_in(text, "3.00 MiB of it would go back by malloc_trim(0) now");
    expect_in(text, "changed by +490.0 MiB: heap.retained +490.0 MiB.");
}

TEST(SoakWhy, AFailThatIsLiveMemory) {
    const auto text =
        why(grown(), read_twice(10 * kMib, 480 * kMib), {finding(FindingKind::kLeak, 140'000)});
    expect_in(text, "98.0 % of the growth is memory that the worker has not freed");
    expect_in(text, "leak (definite): 480.7 MiB, 136.7 KiB per request, by worker::keep");
    EXPECT_EQ(text.find("growth passes"), std::string::npos);
}

TEST(SoakWhy, AFailOfSeveralReasons) {
    expect_in(why(grown(), read_twice(200 * kMib, 290 * kMib), {}), "no single reason");
}

TEST(SoakWhy, APassThatHidesALeak) {
    const auto text = why({}, read_twice(0, 3000 * 40), {finding(FindingKind::kLeak, 40)});
    expect_in(text,
              "The worker's growth passes, but 40 B a request are never given back: 6.59 MiB a day "
              "at 2 requests/s, past the limit for PASS after 3,932,160 requests.");
}

TEST(SoakWhy, ABoundedCacheHidesNothing) {
    auto cache = finding(FindingKind::kCache, 40);
    cache.subkind = "bounded";
    EXPECT_EQ(why({}, read_twice(0, 1), {cache}).find("growth passes"), std::string::npos);
    cache.subkind = "unbounded";
    expect_in(why({}, read_twice(0, 1), {cache}), "The worker's growth passes, but");
}

TEST(SoakWhy, NothingFound) {
    expect_in(why({}, read_twice(0, 0), {}), "The trace of 3,600 requests has no finding");
}

TEST(SoakWhy, TheMachineNotTheWorker) {
    const SyntheticRun machine = {.available = {8 * soak::kGibKb, 1, 5 * soak::kGibKb, 1}};
    expect_in(why(machine, read_twice(0, 0), {}),
              "The worker's own growth passes; the FAIL is for the memory that the machine has");
    const SyntheticRun less = {
        .available = {8 * soak::kGibKb, 1, 8 * soak::kGibKb - soak::kGibKb * 11 / 10, 1}};
    expect_in(why(less, read_twice(0, 0), {}), "the WARN is for the memory that the machine has");
    auto killed = soak::judged({});
    killed.overall = soak::Grade::kFail;  // as for a run with OOM kills
    EXPECT_NE(soak_why(killed, read_twice(0, 0), {}, 1).front().find("the FAIL is for an OOM kill"),
              std::string::npos);
}

TEST(SoakWhy, ReadingsFarFromTheWindowsCountForNothing) {
    auto recording = read_twice(490 * kMib, 0);
    recording.readings[0].t_ns = 0;
    EXPECT_EQ(why(grown(), recording, {}).find("retention"), std::string::npos);
}

SoakFacts facts() {
    SoakFacts facts;
    for (int i = 0; i < 10; ++i)
        facts.tally.add({.due_seconds = 1.0 * i,
                         .sent_seconds = 1.0 * i,
                         .latency_ms = 50,
                         .status = i == 9 ? 500 : 200,
                         .error = "broken\x1b"});
    facts.unsent = 2;
    facts.events = {"12 s: the worker answers again"};
    facts.machine_oom_kills = 3;
    facts.traced = true;
    facts.why = {"because"};
    facts.command = "sudo asrtrace soak --post http://h/x";
    facts.worker = {"worker", "--chunk-seconds", "2", "--name", "it's me"};
    facts.late_meminfo = "MemTotal: 1 kB\nMemFree:  2097152 kB\nMemAvailable: 3145728 kB\n";
    return facts;
}

TEST(SoakRunText, SaysWhatTheRowsDoNot) {
    const auto known = facts();
    const auto text = soak_text(soak::judged({}), "soak", &known);
    expect_in(text, "- because");
    expect_in(text, "at 12 s: the worker answers again");
    expect_in(text, "3 on the machine, 0 in the worker's cgroup");
    expect_in(text, "10 requests at 1.000 a second");
    expect_in(text, "9 answered 200, 1 failed\n  2 more were not sent");
    expect_in(text, "the first failure: HTTP 500: broken");
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    expect_in(text, "2.00 GiB free");
    EXPECT_TRUE(text.ends_with("\nOVERALL: PASS\n"));
}

TEST(SoakRunText, TheNextCommandIsThisRunWithOtherOptions) {
    const auto known = facts();
    const auto pass = soak_text(soak::judged({}), "soak", &known);
    expect_in(pass, "--rate 2 -- worker --chunk-seconds 2 --name 'it'\"'\"'s me'\n");
    expect_in(pass, "--rate 1 -- worker --name 'it'\"'\"'s me' --chunk-seconds 8\n");
    const auto warn =
        soak_text(soak::judged({.pss = {1, 500'000, 500'000 + 200 * 1024, 1}}), "soak", &known);
    expect_in(warn, "--limit-max-requests 500 --limit-max-requests-jitter 50\n");
    const auto fail = soak_text(soak::judged(grown()), "soak", &known);
    expect_in(fail, "--limit-max-requests 300\n");
    expect_in(fail, "--max-seconds 30\n");
}

TEST(SoakRunText, WithoutAVerdictTheRestIsTold) {
    const auto text = soak_text_without_verdict("short: no rows", facts());
    expect_in(text, "no verdict: short: no rows");
    expect_in(text, "the worker answers again");
    EXPECT_EQ(text.find("OVERALL"), std::string::npos);
}

TEST(SoakRunJson, Schema) {
    const auto known = facts();
    const auto json = Json::parse(soak_json(soak::judged({}), &known));
    EXPECT_EQ(json["requests"]["sent"], 10);
    EXPECT_EQ(json["requests"]["by_status"], (Json{{"200", 9}, {"500", 1}}));
    EXPECT_NEAR(json["requests"]["latency_ms"]["p50"].get<double>(), 50, 0.5);
    EXPECT_TRUE(json["requests"]["latency_late_ms"].is_null());
    EXPECT_EQ(json["oom_kills"], (Json{{"machine", 3}, {"cgroup", 0}}));
    EXPECT_EQ(json["why"], Json{"because"});
    const auto recorded = Json::parse(soak_json(soak::judged({})));
    for (const char* key : {"requests", "oom_kills", "events", "why"})
        EXPECT_TRUE(recorded[key].is_null()) << key;
}

}  // namespace
}  // namespace asrtrace::report
