// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What is said about a verdict, to people and to programs.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/expect_in.h"
#include "tests/unit/soak_fixture.h"
#include "user/report/soak.h"

namespace asrtrace::report {
namespace {

using soak::SyntheticRun;
using Json = nlohmann::json;

SyntheticRun healthy() {
    return {};
}
SyntheticRun warned() {
    return {.pss = {1, 500'000, 500'000 + 200 * soak::kMibKb, 1}};
}
SyntheticRun failed() {
    return {.pss = {450'000, 500'000, 900'000, 900'000},
            .rss_anon = {1, 400'000, 780'000, 780'000},
            .available = {8 * soak::kGibKb, 1, 7 * soak::kGibKb, 1}};
}

std::string text_of(const SyntheticRun& run) {
    return soak_text(soak::judged(run), "worker.csv");
}

TEST(SoakText, TheLastLineIsTheVerdict) {
    EXPECT_TRUE(text_of(healthy()).ends_with("\nOVERALL: PASS\n"));
    EXPECT_TRUE(text_of(warned()).ends_with("\nOVERALL: WARN\n"));
    EXPECT_TRUE(text_of(failed()).ends_with("\nOVERALL: FAIL\n"));
}

TEST(SoakText, TheNextStepFollowsTheVerdict) {
    expect_in(text_of(healthy()), "--chunk-seconds");
    EXPECT_EQ(text_of(healthy()).find("--limit-max-requests"), std::string::npos);
    expect_in(text_of(warned()), "--limit-max-requests 500 --limit-max-requests-jitter 50\n");
    expect_in(text_of(failed()), "--limit-max-requests 300\n");
    expect_in(text_of(failed()), "--max-seconds");
}

TEST(SoakText, FiguresOfTheChecksAndTheMachine) {
    const auto text = text_of(failed());
    expect_in(text, "PSS           FAIL  early to late grew by 400,000 KiB; PASS to 153,600");
    expect_in(text, "RssAnon       WARN  early to late grew by 380,000 KiB; PASS to 204,800");
    expect_in(text, "MemAvailable  WARN  baseline to late fell by 1,048,576 KiB; PASS to 838,860");
    expect_in(text, "C: retention by the worker");
    expect_in(text, "available: 7.00 GiB of 16.0 GiB late in the load, 8.00 GiB in the baseline");
    expect_in(text, "used: 9.00 GiB late, 8.00 GiB in the baseline");
    expect_in(text, "used changed by 1,048,576 KiB, the worker's PSS by 450,000 KiB");
}

TEST(SoakText, NoLineIsCut) {
    for (const auto& run : {healthy(), warned(), failed()})
        EXPECT_EQ(text_of(run).find("..."), std::string::npos) << text_of(run);
}

TEST(SoakText, AFileThatGoesOnLongIsQuestioned) {
    const auto rows = soak::rows_of(healthy());
    const auto scaled = soak::judge(rows, {.scale = *soak::parse_scale("1/2")});
    expect_in(soak_text(*scaled, "worker.csv"), "go on long behind the end of the run at 2,400 s");
    EXPECT_EQ(text_of(healthy()).find("go on long"), std::string::npos);
}

TEST(SoakText, ANameCannotDriveTheTerminal) {
    const auto text = soak_text(soak::judged(healthy()), "a\x1b[2Jb");
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
}

TEST(SoakJson, Schema) {
    const auto json = Json::parse(soak_json(soak::judged(failed())));
    EXPECT_EQ(json["schema"], "asrtrace.soak/1");
    EXPECT_EQ(json["overall"], "FAIL");
    EXPECT_EQ(json["pss"], "FAIL");
    EXPECT_EQ(json["rss_anon"], "WARN");
    EXPECT_EQ(json["mem_available"], "WARN");
    EXPECT_EQ(json["swap"], "PASS");
    EXPECT_EQ(json["pattern"], "C");
    ASSERT_EQ(json["windows"].size(), 4U);
    const Json late = {{"begin", 3600},
                       {"end", 3900},
                       {"rows", 60},
                       {"VmRSS_kB", 870'000},
                       {"RssAnon_kB", 780'000},
                       {"RssFile_kB", 90'000},
                       {"RssShmem_kB", 0},
                       {"VmSwap_kB", 0},
                       {"Pss_kB", 900'000},
                       {"MemAvailable_kB", 7 * soak::kGibKb},
                       {"MemTotal_kB", 16 * soak::kGibKb}};
    EXPECT_EQ(json["windows"]["late"], late);
    const Json pss = {{"verdict", "FAIL"},
                      {"change_kb", 400'000},
                      {"pass_limit_kb", 153'600},
                      {"warn_limit_kb", 307'200}};
    EXPECT_EQ(json["checks"]["pss"], pss);
    EXPECT_EQ(json["checks"]["mem_available"]["pass_floor_kb"], 16 * soak::kGibKb / 5);
    EXPECT_EQ(json["next"][0]["commands"][0], "uvicorn APP --limit-max-requests 300");
}

}  // namespace
}  // namespace asrtrace::report
