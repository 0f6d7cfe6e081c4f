// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What is written is what is read; limits hold; files are ours alone.
#include "user/trace/writer.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/unit/trace_fixture.h"

namespace asrtrace::trace {
namespace {

using ledger::SiteKind;

void expect_script(const ledger::Recording& got, const Script& script) {
    EXPECT_TRUE(got.damage.empty()) << got.damage.front();
    EXPECT_EQ(got.tool_version, "0.1.0");
    EXPECT_EQ(got.target.pid, 4711);
    EXPECT_EQ(got.target.cmdline, (std::vector<std::string>{"worker", "--port", "9000", ""}));
    EXPECT_EQ(got.target.libc_build_id, "ab01");
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

}  // namespace
}  // namespace asrtrace::trace
