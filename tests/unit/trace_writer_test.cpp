// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What is written is what is read; limits hold; files are ours alone.
#include "user/trace/writer.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "tests/unit/trace_fixture.h"

namespace asrtrace::trace {
namespace {

void expect_head(const ledger::Recording& got, const Script& script) {
    EXPECT_TRUE(got.damage.empty()) << got.damage.front();
    EXPECT_EQ(got.tool_version, "0.1.0");
    EXPECT_EQ(got.target.pid, 4711);
    EXPECT_EQ(got.target.cmdline, (std::vector<std::string>{"worker", "--port", "9000", ""}));
    EXPECT_EQ(got.target.libc_build_id, "ab01");
    EXPECT_EQ(got.target.followed, scripted_children());
    EXPECT_EQ(got.counts.ended_blocks, 20U);
    EXPECT_EQ(got.window.ended_by, "duration");
    EXPECT_EQ(got.window.exit_status, 256);
    EXPECT_EQ(got.window.start_unix_seconds, 1'700'000'000);
    EXPECT_EQ(got.request_source, ledger::RequestSource::kUsdt);
    EXPECT_EQ(got.counts.calls, scripted_counts(script).calls);
    EXPECT_EQ(got.counts.peak_rss_anon_bytes, 60'000'000U);
    EXPECT_EQ(got.losses.stacks_truncated, 3U);
    EXPECT_EQ(got.losses.attach_failed, scripted_losses().attach_failed);
    EXPECT_EQ(got.overhead.program_seconds, 0.125);
    EXPECT_FALSE(got.overhead.trap_seconds_estimated.has_value());
    EXPECT_EQ(got.notes, (std::vector<std::string>{"TLS is not seen", "a second note"}));
}

void expect_script(const ledger::Recording& got, const Script& script) {
    expect_head(got, script);
    ASSERT_EQ(got.stacks.size(), 4U);
    EXPECT_EQ(got.stacks[0].flags, ledger::kStackFailed);
    ASSERT_EQ(got.stacks[1].frames.size(), 4U);
    EXPECT_EQ(got.frames.at(got.stacks[1].frames[1].value), frame("leak_plant", 33));
    EXPECT_EQ(got.stacks[1].frames[3], got.stacks[2].frames[1]) << "main is interned";
    ASSERT_EQ(got.epochs.size(), script.epochs);
    ASSERT_EQ(got.site_epochs.size(), script.epochs);
    for (std::size_t i = 0; i < script.epochs; ++i) {
        const auto expected = scripted_epoch(script, i);
        EXPECT_EQ(got.epochs[i].end_ns, expected.epoch.end_ns);
        EXPECT_EQ(got.epochs[i].in_flight, expected.epoch.in_flight);
        ASSERT_EQ(got.site_epochs[i].size(), 3U);
        for (std::size_t k = 0; k < 3; ++k) {
            EXPECT_EQ(got.site_epochs[i][k].kind, expected.sites[k].kind);
            EXPECT_EQ(got.site_epochs[i][k].stack, expected.sites[k].stack);
            EXPECT_EQ(got.site_epochs[i][k].live_bytes, expected.sites[k].live_bytes);
            EXPECT_EQ(got.site_epochs[i][k].freed_bytes, expected.sites[k].freed_bytes);
            EXPECT_EQ(got.site_epochs[i][k].outlived_blocks, expected.sites[k].outlived_blocks);
        }
    }
    ASSERT_EQ(got.requests.size(), script.epochs * script.requests_per_epoch);
    EXPECT_EQ(got.requests[5].status, -1);
    EXPECT_EQ(got.requests[6].args[0], 1006U);
    ASSERT_EQ(got.samples.size(), script.epochs);
    EXPECT_EQ(got.samples[2].cgroup_current_bytes, 123'456'791U);
    EXPECT_FALSE(got.samples[3].cgroup_current_bytes.has_value());
    for (std::size_t i = 0; i < script.epochs; ++i) {
        ASSERT_TRUE(got.samples[i].around.has_value()) << i;
        const auto& around = *got.samples[i].around;
        EXPECT_EQ(around.t_ns, got.samples[i].t_ns);
        EXPECT_EQ(around.page_tables_kb, 300 + i);
        EXPECT_EQ(around.swap_free_kb, 1'000'000 - i);
        EXPECT_EQ(around.cgroup_max_bytes.has_value(), i != 3);
        EXPECT_EQ(around.cgroup_stalled_us, 1000 * i);
    }
}

TEST(TraceWriter, RoundTripThroughAFile) {
    const Directory directory;
    const std::string path = directory / "a.asrtrace";
    make_trace(path);
    const auto recording = read(path);
    ASSERT_TRUE(recording) << recording.error().message;
    expect_script(*recording, {});
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600U);
    EXPECT_NE(::stat((path + "-wal").c_str(), &info), 0) << "one file is left";
    EXPECT_NE(::stat((path + "-shm").c_str(), &info), 0);
}

TEST(TraceWriter, ReadsItselfBackInMemoryAndOnDisk) {
    const Directory directory;
    auto memory = Writer::in_memory();
    auto file = Writer::create(directory / "a.asrtrace");
    for (auto* writer : {&memory, &file}) {
        ASSERT_TRUE(*writer);
        write_script(**writer, {});
        const auto before = (*writer)->read();
        ASSERT_TRUE(before) << "without what was not committed";
        EXPECT_EQ(before->epochs.size(), 39U);
        ASSERT_TRUE((*writer)->finish());
        const auto after = (*writer)->read();
        ASSERT_TRUE(after) << after.error().message;
        expect_script(*after, {});
    }
}

std::uint64_t sum_of_flows(const ledger::Recording& recording, StackId stack) {
    std::uint64_t sum = 0;
    for (const auto& epoch : recording.site_epochs)
        for (const auto& site : epoch)
            if (site.stack == stack) sum += site.allocated_bytes;
    return sum;
}

TEST(TraceWriter, MergedEpochsKeepFlowsLevelsAndOrder) {
    const Script script{1000, 10, 4096};
    auto writer = Writer::in_memory({.epochs = 64, .samples = 100});
    ASSERT_TRUE(writer);
    write_script(*writer, script);
    ASSERT_TRUE(writer->finish());
    const auto got = writer->read();
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->damage.empty());
    ASSERT_LE(got->epochs.size(), 64U);
    ASSERT_GE(got->epochs.size(), 32U);
    EXPECT_EQ(sum_of_flows(*got, StackId(1)), 10'000U * 4096);
    std::uint64_t last = 0, widest = 0;
    for (std::size_t i = 0; i < got->epochs.size(); ++i) {
        EXPECT_GT(got->epochs[i].requests, last);
        widest = std::max(widest, got->epochs[i].requests - last);
        last = got->epochs[i].requests;
        EXPECT_EQ(got->site_epochs[i][0].outlived_bytes, last * 4096) << "the later level";
    }
    EXPECT_EQ(last, 10'000U);
    EXPECT_LE(widest, 10'000U / 64 * 4) << "the resolution stays even";
    EXPECT_LE(got->samples.size(), 100U);
    EXPECT_GE(got->samples.size(), 50U);
    EXPECT_EQ(got->samples.front().t_ns, 0U);
    EXPECT_EQ(got->samples.back().t_ns, 999'000'000'000U);
}

TEST(TraceWriter, EveryFlowOfASiteOutlastsMerging) {
    auto writer = Writer::in_memory({.epochs = 4});
    ASSERT_TRUE(writer);
    ledger::SiteEpoch site{.stack = StackId(1)};
    site.allocated_bytes = site.allocated_blocks = site.freed_bytes = site.freed_blocks = 1;
    site.late_freed_bytes = site.late_freed_blocks = site.retracted_blocks = 1;
    for (std::uint64_t i = 0; i < 100; ++i) writer->add_epoch({{i, i + 1, 0}, {site}});
    ASSERT_TRUE(writer->finish());
    const auto got = writer->read();
    ASSERT_TRUE(got);
    ASSERT_LE(got->site_epochs.size(), 4U);
    for (const auto flow :
         {&ledger::SiteEpoch::allocated_bytes, &ledger::SiteEpoch::allocated_blocks,
          &ledger::SiteEpoch::freed_bytes, &ledger::SiteEpoch::freed_blocks,
          &ledger::SiteEpoch::late_freed_bytes, &ledger::SiteEpoch::late_freed_blocks,
          &ledger::SiteEpoch::retracted_blocks}) {
        std::uint64_t sum = 0;
        for (const auto& epoch : got->site_epochs) sum += epoch.at(0).*flow;
        EXPECT_EQ(sum, 100U);
    }
}

TEST(TraceWriter, WhatFollowedChildrenHoldOutlastsMerging) {
    auto writer = Writer::in_memory({.epochs = 4});
    ASSERT_TRUE(writer);
    const ledger::SiteEpoch other{.kind = ledger::SiteKind::kMapped, .stack = StackId(1)};
    const ledger::SiteEpoch alone{.stack = StackId(2)};
    ledger::SiteEpoch site{.stack = StackId(3)};
    for (std::uint64_t i = 0; i < 100; ++i) {
        site.followed_bytes = 100 * i;
        site.followed_blocks = i;
        writer->add_epoch({{i, i + 1, 0}, {other, alone, site}});
    }
    ASSERT_TRUE(writer->finish());
    const auto got = writer->read();
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->damage.empty());
    for (std::size_t i = 0; i < got->epochs.size(); ++i) {
        const auto& sites = got->site_epochs[i];  // by kind and stack
        ASSERT_EQ(sites.size(), 3U);
        EXPECT_EQ(sites[0].followed_blocks, 0U);
        EXPECT_EQ(sites[1].followed_blocks, got->epochs[i].requests - 1) << "the later level";
        EXPECT_EQ(sites[1].followed_bytes, 100 * sites[1].followed_blocks);
        EXPECT_EQ(sites[2].followed_blocks, 0U);
    }
}

TEST(TraceWriter, RowsOfSitesAreBounded) {
    auto writer = Writer::in_memory({.epochs = 1000, .site_rows = 5000});
    ASSERT_TRUE(writer);
    for (std::uint64_t i = 0; i < 400; ++i) {
        ledger::EpochRecord record;
        record.epoch = {i, i + 1, 0};
        for (std::uint32_t k = 0; k < 100; ++k)
            record.sites.push_back({ledger::SiteKind::kHeap, StackId(k), 1, 1, 0, 0, i, i, i, i});
        writer->add_epoch(record);
    }
    ASSERT_TRUE(writer->finish());
    const auto got = writer->read();
    ASSERT_TRUE(got);
    EXPECT_LE(got->epochs.size(), 50U);
    EXPECT_EQ(sum_of_flows(*got, StackId(7)), 400U);
    EXPECT_EQ(got->stacks.size(), 100U) << "stacks that never came are there, as unknown ones";
    EXPECT_EQ(got->stacks[99].flags, ledger::kStackFailed);
}

TEST(TraceWriter, DroppedRequestsKeepTheirTimes) {
    auto writer = Writer::in_memory({.requests = 3000});
    ASSERT_TRUE(writer);
    for (std::uint64_t i = 0; i < 10'000; ++i) {
        writer->add_request(scripted_request(i));
        if (i % 500 == 0) {
            ASSERT_TRUE(writer->commit());
        }
    }
    ASSERT_TRUE(writer->finish());
    const auto got = writer->read();
    ASSERT_TRUE(got);
    EXPECT_TRUE(got->damage.empty());
    EXPECT_LE(got->requests.size(), 3000U);
    EXPECT_EQ(got->requests.size() + got->requests_dropped, 10'000U);
    EXPECT_EQ(got->requests.back().external_id, 9999U);
    std::uint64_t dropped = 0;
    for (const auto& latency : got->dropped_latencies) {
        dropped += latency.count;
        EXPECT_NEAR(static_cast<double>(latency.latency_ns), 23e6, 3.3e6);
    }
    EXPECT_EQ(dropped, got->requests_dropped);
}

TEST(TraceWriter, TwoEntriesOfOneSiteAreOne) {
    auto writer = Writer::in_memory();
    ASSERT_TRUE(writer);
    const ledger::SiteEpoch site{ledger::SiteKind::kHeap, StackId(1), 5, 1, 0, 0, 5, 1, 5, 1};
    writer->add_epoch({{1, 1, 0}, {site, site}});
    ASSERT_TRUE(writer->finish());
    EXPECT_EQ(writer->read()->site_epochs[0].size(), 1U);
}

TEST(TraceFiles, OwnTracesAreReplacedWithWhatLiesBesideThem) {
    const Directory directory;
    const std::string path = directory / "a.asrtrace";
    make_trace(path);
    write_file(path + "-wal", "left over");
    make_trace(path, {7, 10, 64});
    const auto got = read(path);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->epochs.size(), 7U);
}

TEST(TraceFiles, OthersAreRefusedAndUnchanged) {
    const Directory directory;
    make_trace(directory / "other.asrtrace");
    write_file(directory / "text", "dear diary");
    write_file(directory / "empty", "");
    ASSERT_EQ(::symlink((directory / "other.asrtrace").c_str(), (directory / "link").c_str()), 0);
    ASSERT_EQ(::symlink((directory / "nowhere").c_str(), (directory / "dangling").c_str()), 0);
    ASSERT_EQ(::mkdir((directory / "dir").c_str(), 0700), 0);
    ASSERT_EQ(::mkfifo((directory / "fifo").c_str(), 0600), 0);
    write_file(directory / "fresh-wal", "a stranger's");
    for (const char* name :
         {"text", "empty", "link", "dangling", "dir", "fifo", "fresh", "no/dir"}) {
        const auto writer = Writer::create(directory / name);
        ASSERT_FALSE(writer) << name;
        EXPECT_NE(writer.error().message.find(std::string(name).substr(0, 2)), std::string::npos);
    }
    EXPECT_EQ(read_file(directory / "text"), "dear diary");
    EXPECT_EQ(read_file(directory / "fresh-wal"), "a stranger's");
    EXPECT_FALSE(std::filesystem::exists(directory / "nowhere"));
    EXPECT_TRUE(read(directory / "other.asrtrace"));
}

TEST(TraceFiles, ATraceThatIsBeingRecordedIsNotReplaced) {
    const Directory directory;
    auto first = Writer::create(directory / "a.asrtrace");
    ASSERT_TRUE(first);
    const auto second = Writer::create(directory / "a.asrtrace");
    ASSERT_FALSE(second);
    EXPECT_NE(second.error().message.find("another process"), std::string::npos);
    write_script(*first, {});
    EXPECT_TRUE(first->finish());
}

/// SQLite takes no row of 16 MiB: one such text must not cost the others, nor the commits after it.
TEST(TraceWriter, ATextThatIsTooLongCostsItselfOnly) {
    const std::string endless(17 << 20, '\xff');
    const Directory directory;
    auto writer = Writer::create(directory / "a.asrtrace");
    ASSERT_TRUE(writer);
    ledger::Target target;
    target.exe = endless;
    target.cmdline = {"worker", endless};
    writer->set_target(target);
    writer->set_notes({endless, "a note"});
    ledger::Frame frame;
    frame.function = frame.file = frame.module = endless;
    const FrameId first = writer->add_frame(frame);
    frame.line = 7;
    writer->add_stack({StackId(1), 0, {first, writer->add_frame(frame)}});
    EXPECT_TRUE(writer->commit());
    const Status finished = writer->finish();
    EXPECT_TRUE(finished) << finished.error().message;
    const auto got = read(directory / "a.asrtrace");
    ASSERT_TRUE(got) << got.error().message;
    ASSERT_EQ(got->target.cmdline.size(), 2U);
    EXPECT_EQ(got->target.cmdline[0], "worker");
    EXPECT_TRUE(got->target.cmdline[1].ends_with("\\xff..."));
    ASSERT_EQ(got->notes.size(), 2U);
    EXPECT_EQ(got->notes[1], "a note");
    ASSERT_EQ(got->frames.size(), 2U);
    EXPECT_TRUE(got->frames[1].function.starts_with("\\xff"));
    EXPECT_TRUE(got->frames[1].function.ends_with("..."));
    EXPECT_EQ(got->frames[1].line, 7U);
}

TEST(TraceWriter, NamesAreBounded) {
    auto writer = Writer::in_memory();
    ASSERT_TRUE(writer);
    ledger::Frame frame;
    frame.function = frame.file = std::string(4096, 'f');
    const FrameId first = writer->add_frame(frame);
    constexpr std::uint32_t kFrames = 20'000;
    for (frame.line = 1; frame.line < kFrames; ++frame.line) writer->add_frame(frame);
    frame.line = 0;
    EXPECT_EQ(writer->add_frame(frame), first);
    ASSERT_TRUE(writer->finish());
    const auto got = writer->read();
    ASSERT_TRUE(got);
    ASSERT_EQ(got->frames.size(), kFrames) << "no frame is lost";
    EXPECT_EQ(got->frames.front().function.size(), 4096U);
    EXPECT_EQ(got->frames.back().function, "");
    EXPECT_EQ(got->frames.back().line, kFrames - 1);
    std::uint64_t unnamed = 0;
    for (const auto& known : got->frames) unnamed += known.function.empty() ? 1 : 0;
    EXPECT_EQ(got->losses.unnamed_frames, unnamed);
    EXPECT_LT(unnamed, 4'000U);
    EXPECT_GT(unnamed, 3'000U);
}

TEST(TraceWriter, PathsAndLifetimesComeBack) {
    const std::vector<ledger::PathTotals> paths{
        {.path = "[none]", .held_bytes = 1},
        {.path = "/a\x1b[31m", .requests = 5, .aborted = 1, .duration_ns = 7, .body_bytes = 8},
        {.path = "", .requests = 1, .response_bytes = 9, .allocated_bytes = 10, .held_blocks = 2}};
    const std::vector<ledger::SitePath> site_paths{{StackId(3), 2, 1000, 4}, {StackId(1), 0, 5, 1}};
    const ledger::Lifetimes lifetimes{{1, 2}, {3, 4}, {5, 6}, {7, 8}};
    ledger::HttpSeen seen{.aborted = 1, .excluded = 2, .confused = 3, .tls = 4};
    seen.io_uring_calls = 5;
    auto writer = Writer::in_memory();
    ASSERT_TRUE(writer);
    writer->set_paths({paths.front()}, {});
    ASSERT_TRUE(writer->commit());
    writer->set_paths(paths, site_paths);
    writer->set_lifetimes(lifetimes);
    writer->set_http(seen);
    ASSERT_TRUE(writer->finish());
    const auto got = writer->read();
    ASSERT_TRUE(got);
    ASSERT_EQ(got->paths.size(), 3U);
    EXPECT_EQ(got->paths[0], paths[0]);
    EXPECT_EQ(got->paths[1].path, "/a\\x1b[31m");
    EXPECT_EQ(got->paths[1].requests, 5U);
    EXPECT_EQ(got->paths[2], paths[2]);
    EXPECT_EQ(got->site_paths, site_paths);
    EXPECT_EQ(got->lifetimes, lifetimes);
    EXPECT_EQ(got->http, seen);
}

}  // namespace
}  // namespace asrtrace::trace
