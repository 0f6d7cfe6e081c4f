// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Raw events: what was put in comes out, record by record; the limit counts what it drops; damage
// never passes for events.
#include "tests/unit/trace_raw.h"

#include <random>
#include <unordered_map>

#include "tests/unit/trace_fixture.h"
#include "user/decode/event.h"
#include "user/ledger/ledger.h"
#include "user/report/raw_csv.h"

namespace asrtrace::trace {
namespace {

std::string text_of(Bytes record) {
    return {reinterpret_cast<const char*>(record.data()), record.size()};
}

std::vector<std::string> records_of(const std::string& path) {
    std::vector<std::string> records;
    const auto status = read_raw_events(
        path, [&](Bytes record, const RawStacks&) { records.push_back(text_of(record)); });
    EXPECT_TRUE(status) << status.error().message;
    return records;
}

/// A ledger's own account of what it was told.
class Books {
  public:
    void apply(Bytes record) {
        const auto event = decode::decode(record);
        ASSERT_TRUE(event);
        ledger_.apply(*event);
        last_ns_ = event->time_ns;
    }
    ledger::Counts counts() {
        ledger_.finish(last_ns_ + 1000);
        for (const auto& epoch : ledger_.take_output().epochs)
            for (const auto& site : epoch.sites) outlived_ += site.outlived_blocks;
        ledger::Counts counts;
        ledger_.add_counts(counts);
        return counts;
    }
    std::uint64_t requests() const { return ledger_.requests_completed(); }
    std::uint64_t outlived() const { return outlived_; }

  private:
    ledger::Ledger ledger_{{.start_ns = kRawStartNs}};
    std::uint64_t last_ns_ = kRawStartNs;
    std::uint64_t outlived_ = 0;
};

TEST(TraceRaw, ALedgerFedFromTheTraceSaysWhatTheLiveOneSaid) {
    const Directory directory;
    const std::string path = directory / "a.asrtrace";
    constexpr std::uint64_t kRequests = 20'000;  // several blocks
    Books live, again;
    auto writer = Writer::create(path);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->keep_raw_events(64 << 20, kRawStartNs));
    std::uint64_t added = 0;
    raw_requests(kRequests, [&](Bytes record) {
        live.apply(record);
        writer->add_raw_event(record);
        if (++added % 50'000 == 0) {
            ASSERT_TRUE(writer->commit());
        }
    });
    ASSERT_TRUE(writer->finish());
    std::uint64_t read_back = 0;
    ASSERT_TRUE(read_raw_events(path, [&](Bytes record, const RawStacks&) {
        again.apply(record);
        ++read_back;
    }));
    EXPECT_EQ(read_back, added);
    const auto recording = read(path);
    ASSERT_TRUE(recording);
    EXPECT_EQ(recording->raw_events, (ledger::RawEvents{added, 0, kRawStartNs}));
    const auto first = live.counts(), second = again.counts();
    EXPECT_EQ(second.allocated_blocks, 3 * kRequests);
    EXPECT_EQ(second.freed_blocks, 2 * kRequests);
    EXPECT_EQ(second.allocated_bytes, 303 * kRequests);
    EXPECT_EQ(second.allocated_bytes, first.allocated_bytes);
    EXPECT_EQ(second.freed_bytes, first.freed_bytes);
    EXPECT_EQ(again.requests(), kRequests);
    EXPECT_EQ(again.outlived(), live.outlived());
    EXPECT_LT(std::filesystem::file_size(path), added * 48 / 3) << "compressed";
}

TEST(TraceRaw, StacksAndColumnsComeBack) {
    const Directory directory;
    auto writer = Writer::create(directory / "a.asrtrace");
    ASSERT_TRUE(writer);
    write_raw_events(*writer);
    write_script(*writer, {});
    ASSERT_TRUE(writer->finish());
    std::vector<std::string> lines;
    ASSERT_TRUE(
        read_raw_events(directory / "a.asrtrace", [&](Bytes record, const RawStacks& stacks) {
            const auto event = decode::decode(record);
            ASSERT_TRUE(event);
            const auto stack = stacks.find(report::stack_key_of(*event));
            lines.push_back(report::raw_csv_line(
                *event, stack == stacks.end() ? std::nullopt : std::optional(stack->second),
                kRawStartNs));
        }));
    ASSERT_EQ(lines.size(), 20U * 7 + 1);
    EXPECT_EQ(lines[0], "1000,0,7,request_begin,,,,,id=1 arg0=0 arg1=0\n");
    EXPECT_EQ(lines[1], "2000,0,7,malloc,0x11000,100,,1,\n");
    EXPECT_EQ(lines[3], "4000,0,7,malloc,0x13000,102,,3,\n");
    EXPECT_EQ(lines[4], "5000,0,7,free,0x13000,,,,\n");
    EXPECT_EQ(lines.back(),
              "1000,0,7,http_begin,,,,,\"id=1 method=POST path=/a,\"\"b\"\"\\x1b[31m\"\n");
}

TEST(TraceRaw, BeyondTheLimitIsCounted) {
    const Directory directory;
    const std::string path = directory / "a.asrtrace";
    auto writer = Writer::create(path);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->keep_raw_events(30'000, kRawStartNs));
    std::uint64_t added = 0;
    raw_requests(50'000, [&](Bytes record) {
        writer->add_raw_event(record);
        ++added;
    });
    ASSERT_TRUE(writer->finish());
    const auto got = read(path);
    ASSERT_TRUE(got);
    ASSERT_TRUE(got->raw_events);
    EXPECT_EQ(got->raw_events->kept + got->raw_events->not_kept, added);
    EXPECT_GT(got->raw_events->kept, 1000U);
    EXPECT_GT(got->raw_events->not_kept, added / 2);
    EXPECT_EQ(records_of(path).size(), got->raw_events->kept);
    EXPECT_LT(std::filesystem::file_size(path), 400'000U) << "a block beyond the limit at most";
}

TEST(TraceRaw, WithoutThemTheTraceSaysSo) {
    const Directory directory;
    make_trace(directory / "a.asrtrace");
    EXPECT_FALSE(read(directory / "a.asrtrace")->raw_events);
    EXPECT_FALSE(read_raw_events(directory / "a.asrtrace", [](Bytes, const RawStacks&) {}));
}

/// What is read of a damaged file: records that were written, in their order.
TEST(TraceRaw, DamageNeverPassesForEvents) {
    const Directory directory;
    const std::string path = directory / "a.asrtrace";
    auto writer = Writer::create(path);
    ASSERT_TRUE(writer);
    ASSERT_TRUE(writer->keep_raw_events(64 << 20, kRawStartNs));
    std::unordered_map<std::string, std::size_t> written;  // to where it was
    raw_requests(2'500, [&](Bytes record) {
        writer->add_raw_event(record);
        written.emplace(text_of(record), written.size());
    });
    ASSERT_TRUE(writer->finish());
    const std::string whole = read_file(path);
    std::mt19937 random{20'260'101};
    int fewer = 0;
    for (int i = 0; i < 100; ++i) {
        std::string image = whole;
        const auto at = random() % image.size();
        if (i % 2 == 0)
            image.resize(at);
        else
            image[at] = static_cast<char>(image[at] ^ static_cast<char>(1 + random() % 255));
        write_file(path, image);
        std::size_t count = 0, next = 0;
        const auto status = read_raw_events(path, [&](Bytes record, const RawStacks&) {
            const auto place = written.find(text_of(record));
            ASSERT_TRUE(place != written.end() && place->second >= next) << "damaged at " << at;
            next = place->second + 1;
            ++count;
        });
        ASSERT_LE(count, written.size());
        if (!status || count < written.size()) ++fewer;
    }
    EXPECT_GE(fewer, 75);
}

}  // namespace
}  // namespace asrtrace::trace
