// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The parsed operands give the values that the program passed: breakpoints at every site, each
// argument evaluated as the BPF program does it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "tests/unit/probes_child.h"
#include "user/base/fd.h"
#include "user/base/maps.h"
#include "user/capture/usdt.h"

namespace asrtrace::capture {
namespace {

using Values = std::vector<std::int64_t>;

std::uint64_t register_value(const user_regs_struct& regs, PtReg reg) {
    // user_regs_struct has pt_regs' order (arch/x86/include/asm/user_64.h).
    std::uint64_t value = 0;
    if (reg == PtReg::kNone) return 0;
    std::memcpy(&value, reinterpret_cast<const char*>(&regs) + 8 * static_cast<std::size_t>(reg),
                8);
    return value;
}

std::int64_t truncate_to(std::uint64_t value, std::int8_t size) {
    const unsigned bits = 64 - 8 * static_cast<unsigned>(size < 0 ? -size : size);
    return size < 0 ? static_cast<std::int64_t>(value << bits) >> bits
                    : static_cast<std::int64_t>(value << bits >> bits);
}

std::int64_t evaluate(int memory, const user_regs_struct& regs, const UsdtArg& arg) {
    std::uint64_t value = static_cast<std::uint64_t>(arg.value);
    if (arg.kind == UsdtArgKind::kRegister) value = register_value(regs, arg.reg) >> arg.shift;
    if (arg.kind == UsdtArgKind::kMemory) {
        const std::uint64_t address =
            value + register_value(regs, arg.reg) + register_value(regs, arg.index) * arg.scale;
        const auto width = static_cast<std::size_t>(arg.size < 0 ? -arg.size : arg.size);
        value = 0;
        EXPECT_EQ(::pread(memory, &value, width, static_cast<off_t>(address)),
                  static_cast<ssize_t>(width));
    }
    return truncate_to(value, arg.size);
}

/// Address of a byte of the file in the target.
std::uint64_t address_of(const std::vector<MapsEntry>& maps, const std::string& path,
                         std::uint64_t offset, bool writable) {
    for (const MapsEntry& map : maps)
        if (map.path == path && map.writable == writable && offset >= map.file_offset &&
            offset - map.file_offset < map.size_bytes())
            return map.begin + (offset - map.file_offset);
    return 0;
}

void poke(pid_t pid, std::uint64_t address, std::uint64_t mask, std::uint64_t bits) {
    const long word = ::ptrace(PTRACE_PEEKDATA, pid, address, nullptr);
    const std::uint64_t changed = (static_cast<std::uint64_t>(word) & ~mask) | bits;
    EXPECT_EQ(::ptrace(PTRACE_POKEDATA, pid, address, changed), 0);
}

/// Runs the program to its end; name of each probe that was passed -> values of its arguments.
std::map<std::string, Values> run(const std::string& path, bool open_semaphores) {
    std::map<std::string, Values> seen;
    const pid_t pid = ::fork();
    if (pid == 0) {
        ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr);
        ::execl(path.c_str(), path.c_str(), nullptr);
        ::_exit(127);
    }
    int status = 0;
    EXPECT_EQ(::waitpid(pid, &status, 0), pid);
    if (!WIFSTOPPED(status)) {
        ADD_FAILURE() << path << " did not start";
        return seen;
    }
    const auto probes = find_usdt(pid, "probes", "");
    EXPECT_TRUE(probes.ok());
    const auto maps = read_maps(pid).value();
    const UniqueFd memory(::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY));
    std::map<std::uint64_t, UsdtProbe> sites;
    for (const UsdtProbe& probe : *probes) {
        const std::uint64_t site = address_of(maps, path, probe.file_offset, false);
        sites.emplace(site, probe);
        poke(pid, site, 0xff, 0xcc);
        if (open_semaphores && probe.semaphore_file_offset != 0)
            poke(pid, address_of(maps, path, probe.semaphore_file_offset, true), 0xffff, 1);
    }
    for (;;) {
        ::ptrace(PTRACE_CONT, pid, nullptr, nullptr);
        if (::waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status)) break;
        user_regs_struct regs{};
        ::ptrace(PTRACE_GETREGS, pid, nullptr, &regs);
        --regs.rip;  // uprobes report the probe's address
        const auto site = sites.find(regs.rip);
        if (WSTOPSIG(status) != SIGTRAP || site == sites.end()) {
            ADD_FAILURE() << "unexpected stop by signal " << WSTOPSIG(status);
            ::kill(pid, SIGKILL);
            continue;
        }
        Values& values = seen[site->second.name];
        for (const UsdtArg& arg : site->second.arguments)
            if (arg.kind != UsdtArgKind::kUnsupported)
                values.push_back(evaluate(memory.get(), regs, arg));
    }
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    return seen;
}

void expect_values(const std::map<std::string, Values>& seen) {
    constexpr std::int64_t kId = 1LL << 33;
    EXPECT_EQ(seen.at("plain"), (Values{kId, -9, 77}));
    EXPECT_EQ(seen.at("sizes"), (Values{-3, 65000, -70000, 1LL << 40}));
    EXPECT_EQ(seen.at("many"),
              (Values{kId, kId + 1, kId + 2, kId + 3, kId + 4, kId + 5, kId + 6, kId + 7}));
    EXPECT_EQ(seen.at("none"), Values{});
    EXPECT_EQ(seen.at("memory"), (Values{10, 20, 40, 20}));
    EXPECT_EQ(seen.at("parts"),
              (Values{0xf4, 0x92, 0x92 - 256, 0x92f4, 0x567892f4, 0x567892f4, 0x1234567892f4}));
    EXPECT_EQ(seen.at("constants"), (Values{5, -5, 16, 0xffffffff, INT64_MIN}));
    EXPECT_EQ(seen.at("symbols"), (Values{1234, 30, 20}));
    EXPECT_EQ(seen.at("vectors"), Values{9});
}

TEST(UsdtRun, ValuesInAPositionIndependentProgram) {
    const auto seen = run(built("probes_usdt_pie"), true);
    expect_values(seen);
    EXPECT_EQ(seen.at("gated"), (Values{-5, (1LL << 33) - 9}));
}

TEST(UsdtRun, ValuesAtFixedAddresses) {
    const auto seen = run(built("probes_usdt_fixed"), true);
    expect_values(seen);
    const auto& absolute = seen.at("absolute");
    ASSERT_EQ(absolute.size(), 4U);
    EXPECT_EQ(absolute[0], 1234);
    EXPECT_EQ(absolute[1], 20);
    EXPECT_EQ(absolute[3], 30);
}

TEST(UsdtRun, SemaphoreGuardsItsProbe) {
    EXPECT_FALSE(run(built("probes_usdt_pie"), false).contains("gated"));
}

}  // namespace
}  // namespace asrtrace::capture
