// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a confined thread can do and what it cannot, each by trying it.
#include "user/base/confinement.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "user/base/confined_thread.h"
#include "user/base/fd.h"

namespace asrtrace {
namespace {

/// Left by itself as a child, so that a call which was not refused does no harm to the test.
long ended(long pid) {
    if (pid == 0) ::_exit(0);
    return pid;
}

std::string status_line(const std::string& name) {
    std::ifstream status("/proc/thread-self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(name + ":\t")) return line.substr(name.size() + 2);
    return {};
}

struct Attempt {
    std::string name;
    std::function<long()> call;
};

class Confined : public testing::Test {
  protected:
    Confined() {
        std::string pattern = testing::TempDir() + "confinement-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        std::ofstream(file()) << "before";
        EXPECT_EQ(::pipe2(pipe_, O_CLOEXEC), 0);
        other_ = ::fork();
        if (other_ == 0) {
            ::pause();
            ::_exit(0);
        }
    }
    ~Confined() override {
        ::kill(other_, SIGKILL);
        ::waitpid(other_, nullptr, 0);
        for (const int end : pipe_) ::close(end);
        std::filesystem::remove_all(directory_);
    }

    std::string file() const { return directory_ + "/file"; }
    std::string new_file() const { return directory_ + "/new"; }

    /// Names of what was not refused with EPERM.
    static std::vector<std::string> allowed(const std::vector<Attempt>& attempts) {
        std::vector<std::string> names;
        for (const Attempt& attempt : attempts) {
            errno = 0;
            if (attempt.call() >= 0 || errno != EPERM)
                names.push_back(attempt.name + " (" + std::to_string(errno) + ")");
        }
        return names;
    }

    std::vector<Attempt> starting_processes() const {
        return {
            {"execve", [] { return ::execl("/bin/true", "true", nullptr); }},
            {"execveat", [] { return ::syscall(SYS_execveat, -1, "/bin/true", 0, 0, 0); }},
            {"fork", [] { return ended(::fork()); }},
            {"clone of a process", [] { return ended(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }},
#ifdef SYS_fork
            {"SYS_fork", [] { return ended(::syscall(SYS_fork)); }},
#endif
            {"ptrace", [this] { return ::ptrace(PTRACE_SEIZE, other_, 0, 0); }},
            {"process_vm_writev",
             [this] {
                 char byte = 1;
                 const iovec here{&byte, 1};
                 return ::process_vm_writev(other_, &here, 1, &here, 1, 0);
             }},
            {"mount", [] { return ::syscall(SYS_mount, nullptr, nullptr, nullptr, 0, 0); }},
            {"unshare", [] { return ::unshare(CLONE_NEWUSER); }},
            {"init_module", [] { return ::syscall(SYS_init_module, 0, 0, ""); }},
        };
    }

    std::vector<Attempt> writing() const {
        const auto open = [](const std::string& path, int flags) {
            return [path, flags] { return ::open(path.c_str(), flags, 0600); };
        };
        const auto open_2 = [this](std::uint64_t flags) {
            return [this, flags] {
                open_how how{.flags = flags, .mode = 0, .resolve = 0};
                return ::syscall(SYS_openat2, AT_FDCWD, file().c_str(), &how, sizeof(how));
            };
        };
        return {
            {"O_WRONLY", open(file(), O_WRONLY)},
            {"O_RDWR", open(file(), O_RDWR)},
            {"O_TRUNC", open(file(), O_RDONLY | O_TRUNC)},
            {"O_CREAT", open(new_file(), O_RDONLY | O_CREAT)},
            {"O_TMPFILE that may get a name", open(directory_, O_TMPFILE | O_RDWR | O_CLOEXEC)},
            {"openat2 for writing", open_2(O_WRONLY)},
            {"openat2 with another argument", open_2(O_RDONLY)},
            {"unlink", [this] { return ::unlink(file().c_str()); }},
            {"mkdir", [this] { return ::mkdir(new_file().c_str(), 0700); }},
            {"chmod", [this] { return ::chmod(file().c_str(), 0644); }},
            {"truncate", [this] { return ::truncate(file().c_str(), 0); }},
            {"link", [this] { return ::link(file().c_str(), new_file().c_str()); }},
            {"symlink", [this] { return ::symlink("x", new_file().c_str()); }},
            {"rename", [this] { return ::rename(file().c_str(), new_file().c_str()); }},
            {"memfd_create", [] { return ::memfd_create("x", 0); }},
        };
    }

    std::vector<Attempt> others() const {
        return {
            {"socket", [] { return ::socket(AF_INET, SOCK_STREAM, 0); }},
            {"socket of a netlink", [] { return ::socket(AF_NETLINK, SOCK_RAW, 0); }},
            {"socketpair",
             [] {
                 int ends[2];
                 return ::socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
             }},
            {"bpf, a program",
             [] {
                 bpf_attr attributes{};
                 return ::syscall(SYS_bpf, BPF_PROG_LOAD, &attributes, sizeof(attributes));
             }},
            {"bpf, a link",
             [] {
                 bpf_attr attributes{};
                 return ::syscall(SYS_bpf, BPF_LINK_CREATE, &attributes, sizeof(attributes));
             }},
            {"perf_event_open", [] { return ::syscall(SYS_perf_event_open, 0, 0, -1, -1, 0); }},
            {"io_uring_setup", [] { return ::syscall(SYS_io_uring_setup, 1, 0); }},
            {"userfaultfd", [] { return ::syscall(SYS_userfaultfd, 0); }},
            {"kill", [this] { return ::kill(other_, SIGCONT); }},
            {"setuid", [] { return ::syscall(SYS_setuid, ::getuid()); }},
            {"memory that can be executed",
             [] {
                 void* const memory = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC,
                                             MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
                 return memory == MAP_FAILED ? -1L : 0L;
             }},
            {"ioctl", [this] { return ::syscall(SYS_ioctl, pipe_[0], 0x5401, 0); }},
        };
    }

    std::vector<Attempt> everything() const {
        std::vector<Attempt> all = starting_processes();
        for (auto&& more : {writing(), others()}) all.insert(all.end(), more.begin(), more.end());
        return all;
    }

    std::string directory_;
    int pipe_[2] = {-1, -1};
    pid_t other_ = -1;
};

constexpr Confinement kReader{.name = "reader",
                              .capabilities = kReadingCapabilities,
                              .opens_files = true,
                              .reads_processes = true};

TEST_F(Confined, AReaderIsRefusedEverythingElse) {
    using Names = std::vector<std::string>;
    EXPECT_EQ(call_confined(kReader, [&] { return allowed(everything()); }), Names{});
    std::ifstream unchanged(file());
    EXPECT_EQ(std::string(std::istreambuf_iterator<char>(unchanged), {}), "before");
    // It was the confinement: the same calls of this thread are not refused.
    EXPECT_EQ(allowed(writing()).size(), writing().size());
}

TEST_F(Confined, AReaderReadsFilesDirectoriesAndOtherProcesses) {
    static volatile int shared = 4711;  // at the same address in the child
    const int seen = call_confined(kReader, [&] {
        int value = 0;
        const iovec here{&value, sizeof(value)};
        const iovec there{const_cast<int*>(&shared), sizeof(value)};
        return ::process_vm_readv(other_, &here, 1, &there, 1, 0) == sizeof(value) ? value : -1;
    });
    EXPECT_EQ(seen, 4711);
    const std::string text = call_confined(kReader, [&] {
        std::ifstream in(file());
        return std::string(std::istreambuf_iterator<char>(in), {});
    });
    EXPECT_EQ(text, "before");
    EXPECT_TRUE(call_confined(kReader, [&] {
        DIR* const listing = ::opendir(directory_.c_str());
        if (listing == nullptr) return false;
        ::closedir(listing);
        return true;
    }));
    EXPECT_TRUE(call_confined(kReader, [&] {
        const UniqueFd root(::open(directory_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
        const UniqueFd fd(static_cast<int>(
            ::syscall(SYS_openat2, root.get(), "file", &kReadInRoot, sizeof(kReadInRoot))));
        return fd.valid();
    }));
}

TEST_F(Confined, TheKernelSaysSo) {
    const auto before = effective_capabilities();
    ASSERT_TRUE(before);
    const auto lines = call_confined(kReader, [] {
        return std::vector<std::string>{status_line("Seccomp"), status_line("NoNewPrivs"),
                                        status_line("CapEff"), status_line("CapPrm"),
                                        status_line("Name")};
    });
    EXPECT_EQ(lines[0], "2");
    EXPECT_EQ(lines[1], "1");
    EXPECT_EQ(std::stoull(lines[2], nullptr, 16), *before & kReadingCapabilities);
    EXPECT_EQ(std::stoull(lines[3], nullptr, 16), *before & kReadingCapabilities);
    EXPECT_EQ(lines[4], "reader");
    EXPECT_EQ(status_line("Seccomp"), "0") << "only the thread itself";
    EXPECT_EQ(effective_capabilities().value(), *before);
}

TEST_F(Confined, ThreadsOfAThreadAreConfinedToo) {
    Confinement confinement = kReader;
    confinement.starts_threads = true;
    std::vector<std::string> names{"not run"};
    EXPECT_EQ(call_confined(confinement,
                            [&] {
                                std::thread([&] { names = allowed(everything()); }).join();
                                return status_line("Seccomp");
                            }),
              "2");
    EXPECT_EQ(names, std::vector<std::string>{});
}

TEST_F(Confined, ANamelessFileIsWrittenAndNeverGetsAName) {
    Confinement confinement = kReader;
    confinement.makes_nameless_files = true;
    const auto result = call_confined(confinement, [&] {
        const UniqueFd fd(::open(directory_.c_str(), kNamelessFile, 0600));
        const bool written = fd.valid() && ::pwrite(fd.get(), "x", 1, 0) == 1;
        const std::string path = "/proc/self/fd/" + std::to_string(fd.get());
        const bool named =
            ::linkat(AT_FDCWD, path.c_str(), AT_FDCWD, new_file().c_str(), AT_SYMLINK_FOLLOW) == 0;
        return std::pair{written, named};
    });
    EXPECT_EQ(result, (std::pair{true, false}));
    EXPECT_EQ(call_confined(confinement, [&] { return allowed(everything()); }),
              std::vector<std::string>{});
}

TEST_F(Confined, OneThatFillsMapsLoadsNoProgram) {
    Confinement confinement = kReader;
    confinement.fills_bpf_maps = true;
    EXPECT_EQ(call_confined(confinement, [&] { return allowed(others()); }),
              std::vector<std::string>{});
}

TEST_F(Confined, AWriterOfFilesReadsNoProcess) {
    constexpr Confinement kWriter{.name = "writer", .writes_files = true};
    const bool done = call_confined(kWriter, [&] {
        const UniqueFd fd(::open(new_file().c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
        return fd.valid() && ::write(fd.get(), "x", 1) == 1 &&
               ::renameat(AT_FDCWD, new_file().c_str(), AT_FDCWD, file().c_str()) == 0;
    });
    EXPECT_TRUE(done);
    auto refused = starting_processes();
    for (auto& more : others()) refused.push_back(more);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__clang__)  // sanitizers read by it
    refused.push_back({"process_vm_readv", [this] {
                           char byte = 0;
                           const iovec here{&byte, 1};
                           return ::process_vm_readv(other_, &here, 1, &here, 1, 0);
                       }});
#endif
    EXPECT_EQ(call_confined(kWriter, [&] { return allowed(refused); }), std::vector<std::string>{});
}

TEST_F(Confined, OneThatSendsRequestsServesNobodyAndWritesNoFile) {
    constexpr Confinement kSender{.name = "sender", .opens_files = true, .sends_requests = true};
    EXPECT_TRUE(call_confined(kSender, [] {
        return UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)).valid();
    }));
    auto refused = starting_processes();
    for (auto& more : writing()) refused.push_back(more);
    refused.push_back({"a local socket", [] { return ::socket(AF_UNIX, SOCK_STREAM, 0); }});
    refused.push_back({"listen", [] { return ::listen(-1, 1); }});
    refused.push_back({"accept", [] { return ::accept4(-1, nullptr, nullptr, 0); }});
    refused.push_back({"kill", [this] { return ::kill(other_, SIGCONT); }});
    EXPECT_EQ(call_confined(kSender, [&] { return allowed(refused); }), std::vector<std::string>{});
}

TEST_F(Confined, ASettledThreadStartsNoProgramsAndWritesOn) {
    std::vector<std::string> started{"not run"};
    bool wrote = false, threads = false;
    Status status = Error{"not run"};
    std::thread([&] {
        status = settle_thread(0);
        started = allowed(starting_processes());
        wrote = UniqueFd(::open(file().c_str(), O_WRONLY)).valid();
        std::thread([&] { threads = true; }).join();
    }).join();
    ASSERT_TRUE(status) << status.error().message;
#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)  // which start one that traces, at the end
    EXPECT_LE(started.size(), 4U);
#else
    EXPECT_EQ(started, std::vector<std::string>{});
#endif
    EXPECT_TRUE(wrote);
    EXPECT_TRUE(threads);
}

TEST(CallConfined, PassesOnWhatIsThrown) {
    EXPECT_THROW(call_confined(kReader, []() -> int { throw std::runtime_error("x"); }),
                 std::runtime_error);
    EXPECT_EQ(call_confined(kReader, [] { return std::string("value"); }), "value");
}

}  // namespace
}  // namespace asrtrace
