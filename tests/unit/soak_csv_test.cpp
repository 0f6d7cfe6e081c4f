// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The CSV reader: what it takes, and the line that it names when it does not.
#include <gtest/gtest.h>

#include <string>

#include "user/soak/memory_csv.h"

namespace asrtrace::soak {
namespace {

const std::string kHeader =
    "ts,VmRSS_kB,RssAnon_kB,RssFile_kB,RssShmem_kB,VmSwap_kB,Pss_kB,MemAvailable_kB,MemTotal_kB\n";

std::string complaint(const std::string& text) {
    const auto rows = parse_memory_csv(text);
    return rows ? "" : rows.error().message;
}

void expect_complaint(const std::string& text, const std::string& line, const std::string& part) {
    const std::string got = complaint(text);
    EXPECT_TRUE(got.starts_with(line + ": ")) << got;
    EXPECT_NE(got.find(part), std::string::npos) << got;
}

TEST(MemoryCsv, EveryColumnLandsInItsPlace) {
    const auto rows = parse_memory_csv(kHeader + "1,2,3,4,5,6,7,8,9\n1,0,0,0,0,0,0,0,1");
    ASSERT_TRUE(rows) << rows.error().message;
    ASSERT_EQ(rows->size(), 2U) << "the last line may lack its newline";
    const Row& row = rows->front();
    EXPECT_EQ(row.ts, 1);
    EXPECT_EQ(row.vm_rss, 2);
    EXPECT_EQ(row.rss_anon, 3);
    EXPECT_EQ(row.rss_file, 4);
    EXPECT_EQ(row.rss_shmem, 5);
    EXPECT_EQ(row.vm_swap, 6);
    EXPECT_EQ(row.pss, 7);
    EXPECT_EQ(row.mem_available, 8);
    EXPECT_EQ(row.mem_total, 9);
    EXPECT_TRUE(parse_memory_csv(kHeader)->empty());
}

TEST(MemoryCsv, AHeaderThatIsNotTheHeader) {
    expect_complaint("", "line 1", "header");
    expect_complaint("1,2,3,4,5,6,7,8,9\n", "line 1", "header");
    expect_complaint("ts,VmRSS_kB\n", "line 1", "header");
    expect_complaint(" " + kHeader, "line 1", "header");
    expect_complaint("ts,RssAnon_kB,VmRSS_kB" + kHeader.substr(22), "line 1", "header");
    EXPECT_LT(complaint(std::string(1'000'000, 'x')).size(), 400U);
}

TEST(MemoryCsv, ARowThatIsNotARow) {
    const std::string good = kHeader + "1,2,3,4,5,6,7,8,9\n";
    expect_complaint(good + "2,2,3,4,5,6,7,8\n", "line 3", "8 fields instead of 9");
    expect_complaint(good + "2,2,3,4,5,6,7,8,9,10\n", "line 3", "10 fields");
    expect_complaint(good + "\n", "line 3", "1 fields");
    expect_complaint(good + "2,2,3,4,5,6,x,8,9\n", "line 3", "Pss_kB is 'x'");
    expect_complaint(good + "2,2,,4,5,6,7,8,9\n", "line 3", "RssAnon_kB is ''");
    expect_complaint(good + "2,2,3,4,5,-6,7,8,9\n", "line 3", "VmSwap_kB is '-6'");
    expect_complaint(good + "2,2,3,4,5,-0,7,8,9\n", "line 3", "VmSwap_kB is '-0'");
    expect_complaint(good + "2,2,3,4,5,6,7.5,8,9\n", "line 3", "Pss_kB is '7.5'");
    expect_complaint(good + "2, 2,3,4,5,6,7,8,9\n", "line 3", "VmRSS_kB is ' 2'");
    expect_complaint(good + "2,2,3,4,5,6,7,8,9\r\n", "line 3", "MemTotal_kB is");
    expect_complaint(good + "2,2,3,4,5,6,7,8,0\n", "line 3", "MemTotal_kB is 0");
    expect_complaint(good + "0,2,3,4,5,6,7,8,9\n", "line 3", "ts 0 lies before");
}

TEST(MemoryCsv, ValuesUpToTheBound) {
    const std::string most = std::to_string(kMostValue);
    EXPECT_TRUE(parse_memory_csv(kHeader + "1,2,3,4,5,6," + most + ",8,9\n"));
    const std::string more = std::to_string(kMostValue + 1);
    expect_complaint(kHeader + "1,2,3,4,5,6," + more + ",8,9\n", "line 2", "Pss_kB");
    expect_complaint(kHeader + "1,2,3,4,5,6,99999999999999999999,8,9\n", "line 2", "Pss_kB");
}

}  // namespace
}  // namespace asrtrace::soak
