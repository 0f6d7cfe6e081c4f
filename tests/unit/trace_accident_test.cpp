// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Accidents while recording: the recorder is killed, the disk is full, somebody reads.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

#include "tests/unit/trace_fixture.h"

namespace asrtrace::trace {
namespace {

/// Runs `child` in a process of its own that it does not survive; returns its wait status.
template <typename Child>
int in_child(Child child) {
    const pid_t pid = ::fork();
    if (pid == 0) {
        child();
        ::_exit(99);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    return status;
}

TEST(TraceAccident, AKilledRecorderLeavesItsLastCommit) {
    const Directory directory;
    const std::string path = directory / "a.asrtrace";
    const int status = in_child([&] {
        auto writer = Writer::create(path);
        if (!writer) ::_exit(1);
        write_script(*writer, {25, 10, 4096});  // the 25th epoch is not committed
        (void)::raise(SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    ASSERT_TRUE(std::filesystem::exists(path + "-wal"));
    for (int again = 0; again < 2; ++again) {
        const auto got = read(path);
        ASSERT_TRUE(got) << got.error().message;
        EXPECT_TRUE(got->damage.empty());
        EXPECT_EQ(got->epochs.size(), 24U);
        EXPECT_EQ(got->requests.size(), 240U);
        EXPECT_EQ(got->target.pid, 4711);
        EXPECT_EQ(got->window.ended_by, "recorder died");
        EXPECT_NE(got->notes.back().find("not finished"), std::string::npos);
    }
    EXPECT_TRUE(Writer::create(path)) << "an abandoned trace may be replaced";
}

TEST(TraceAccident, AKillBeforeTheFirstCommitIsRefusedWithAReason) {
    const Directory directory;
    const std::string path = directory / "a.asrtrace";
    const int status = in_child([&] {
        auto writer = Writer::create(path);
        (void)::raise(SIGKILL);
    });
    ASSERT_TRUE(WIFSIGNALED(status));
    const auto got = read(path);
    ASSERT_FALSE(got);
    EXPECT_NE(got.error().message.find("nothing in it is intact"), std::string::npos);
}

/// What a recorder that was killed leaves, without its -shm: FILE and FILE-wal of the returned
/// path.
std::string killed_without_shm(const Directory& directory) {
    std::string path = directory / "a.asrtrace";
    const int status = in_child([&] {
        auto writer = Writer::create(path);
        if (!writer) ::_exit(1);
        write_script(*writer, {25, 10, 4096});
        (void)::raise(SIGKILL);
    });
    EXPECT_TRUE(WIFSIGNALED(status));
    EXPECT_TRUE(std::filesystem::remove(path + "-shm"));
    return path;
}

constexpr uid_t kNobody = 65534;

/// Runs `child` as somebody who is not root; gives its exit status.
template <typename Child>
int as_nobody(Child child) {
    const int status = in_child([&] {
        if (::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) ::_exit(98);
        ::_exit(child());
    });
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(TraceAccident, AKilledRecordersTraceIsReadWhereNothingCanBeWritten) {
    const Directory directory;
    const std::string path = killed_without_shm(directory);
    const std::string file = read_file(path), wal = read_file(path + "-wal");
    const auto whole = [&] {
        const auto got = read(path);
        return got && got->damage.empty() && got->epochs.size() == 24 ? 0 : 1;
    };
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    ASSERT_EQ(::chmod((path + "-wal").c_str(), 0644), 0);
    ASSERT_EQ(::chmod((directory / "").c_str(), 0555), 0);
    EXPECT_EQ(as_nobody(whole), 0) << "files of somebody else";
    if (::geteuid() == 0) {
        ASSERT_EQ(::chown(path.c_str(), kNobody, kNobody), 0);
        ASSERT_EQ(::chown((path + "-wal").c_str(), kNobody, kNobody), 0);
        EXPECT_EQ(as_nobody(whole), 0) << "files that could be written";
    }
    ASSERT_EQ(::chmod((directory / "").c_str(), 0755), 0);
    EXPECT_EQ(read_file(path), file);
    EXPECT_EQ(read_file(path + "-wal"), wal);
    EXPECT_FALSE(std::filesystem::exists(path + "-shm"));
}

TEST(TraceAccident, AWalThatMayNotBeReadIsNamed) {
    const Directory directory;
    const std::string path = killed_without_shm(directory);
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    ASSERT_EQ(::chmod((path + "-wal").c_str(), 0), 0);
    ASSERT_EQ(::chmod((directory / "").c_str(), 0755), 0);
    const int status = as_nobody([&] {
        const auto got = read(path);
        return !got && got.error().message.starts_with(path + "-wal: Permission denied; ") ? 0 : 1;
    });
    EXPECT_EQ(status, 0);
}

TEST(TraceAccident, AReaderSeesWhatIsCommittedWhileItIsRecorded) {
    const Directory directory;
    const std::string path = directory / "a.asrtrace";
    auto writer = Writer::create(path);
    ASSERT_TRUE(writer);
    write_script(*writer, {10, 10, 4096});
    const int status = in_child([&] {
        const auto got = read(path);
        ::_exit(got && got->epochs.size() == 9 && got->damage.empty() ? 0 : 1);
    });
    EXPECT_EQ(status, 0);
    EXPECT_TRUE(writer->finish());
}

/// A limit on the size of files stands in for a full disk: the same error to SQLite.
void record_on_a_full_disk(const std::string& path) {
    (void)std::signal(SIGXFSZ, SIG_IGN);
    const Script script{400, 20, 4096};
    auto writer = Writer::create(path);
    if (!writer) ::_exit(10);
    write_head(*writer, script);
    int errors = 0;
    for (std::uint64_t i = 0; i < script.epochs; ++i) {
        if (i == 100) {
            const rlimit limit{200'000, 200'000};
            if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(11);
        }
        writer->add_epoch(scripted_epoch(script, i));
        for (std::uint64_t k = 0; k < 20; ++k) writer->add_request(scripted_request(i * 20 + k));
        writer->add_sample(scripted_sample(i));
        if (!writer->commit()) ++errors;
    }
    if (errors != 1) ::_exit(12);
    if (writer->finish()) ::_exit(13);
    const auto got = writer->read();
    if (!got || !got->damage.empty()) ::_exit(14);
    const bool whole = got->requests.size() == 8000 && got->window.ended_by == "duration" &&
                       got->epochs.back().requests == 8000;
    ::_exit(whole ? 0 : 15);
}

TEST(TraceAccident, AFullDiskIsSaidOnceAndTheTraceGoesOnInMemory) {
    const Directory directory;
    const std::string path = directory / "a.asrtrace";
    const int status = in_child([&] { record_on_a_full_disk(path); });
    ASSERT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    const auto got = read(path);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_GE(got->epochs.size(), 50U) << "the file holds what was committed before";
}

}  // namespace
}  // namespace asrtrace::trace
