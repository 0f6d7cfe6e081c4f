// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// System call instructions: in this machine's libc and loader, and in bytes that are hard on
// purpose.
#include <gtest/gtest.h>

#include <unistd.h>

#include <array>
#include <map>

#include "tests/unit/probes_hex.h"
#include "user/capture/call_sites.h"
#include "user/capture/syscall_sites.h"
#include "user/capture/target_module.h"

namespace asrtrace::capture {
namespace {

constexpr std::uint64_t kCode = 0x1000;
constexpr std::array<SyscallWish, 4> kWishes{{{9, 6}, {11, 2}, {12, 1}, {0, 3}}};

SyscallSites find(std::string_view hex) {
    return find_syscall_sites(from_hex(hex), kCode, kWishes);
}

void expect_site(std::string_view hex, std::uint32_t number, std::uint32_t delta,
                 std::uint32_t distance, bool emulated) {
    const SyscallSites found = find(hex);
    EXPECT_EQ(found.unproved, 0U) << hex;
    ASSERT_EQ(found.sites.size(), 1U) << hex;
    EXPECT_EQ(found.sites[0].number, number) << hex;
    EXPECT_EQ(found.sites[0].vaddr, kCode + delta) << hex;
    EXPECT_EQ(found.sites[0].distance, distance) << hex;
    EXPECT_EQ(found.sites[0].emulated, emulated) << hex;
}

void expect_none(std::string_view hex, std::size_t unproved) {
    const SyscallSites found = find(hex);
    EXPECT_EQ(found.sites.size(), 0U) << hex;
    EXPECT_EQ(found.unproved, unproved) << hex;
}

TEST(SyscallSites, TheJumpBehindTheComparison) {
    expect_site("b8 09000000 0f05 483d00f0ffff 7725 c3", 9, 13, 6, true);
    expect_site("b8 0b000000 0f05 483d01f0ffff 0f8301000000 c3", 11, 13, 6, true);
    expect_site("48c7c0 09000000 0f05 85c0 7825 c3", 9, 11, 2, true);  // mov $9,%rax; test; js
}

TEST(SyscallSites, TheNumberMayBeLoadedEarlier) {
    expect_site("b8 09000000 4989ca 0f05 85c0 7825 c3", 9, 12, 2, true);  // mov %rcx,%r10
    expect_none("b8 09000000 89d0 0f05 85c0 7825 c3", 0);                 // mov %edx,%eax
    expect_none("b8 09000000 ffd2 0f05 85c0 7825 c3", 0);                 // call *%rdx
    expect_none("b8 09000000 7402 0f05 85c0 7825 c3", 0);                 // je
}

TEST(SyscallSites, NumberZeroIsAnExclusiveOr) {
    expect_site("31c0 0f05 483d00f0ffff 7725 c3", 0, 10, 6, true);  // read
    expect_site("33c0 0f05 483d00f0ffff 7725 c3", 0, 10, 6, true);
    expect_none("4531c0 0f05 483d00f0ffff 7725 c3", 0);  // xor %r8d,%r8d
    expect_none("31d0 0f05 483d00f0ffff 7725 c3", 0);    // xor %edx,%eax
}

TEST(SyscallSites, OtherNumbersAndOtherRegisters) {
    expect_none("b8 27000000 0f05 85c0 7825 c3", 0);
    expect_none("41b8 09000000 0f05 85c0 7825 c3", 0);          // mov $9,%r8d
    expect_none("49b8 09000000 0f05 85c0 7825 c3", 0);          // within an immediate
    expect_none("48b8 0900000000000000 0f05 85c0 7825 c3", 0);  // movabs: nobody writes that
    expect_none("4889f8 4889f7 0f05 85c0 7825 c3", 0);          // syscall(number, ...)
}

TEST(SyscallSites, WhatIsNeededMustStay) {
    // brk: mov table,%rdx; mov %rax,(%rdx); cmp %rdi,%rax; jb. Of its arguments only rdi is read.
    expect_site("b8 0c000000 0f05 488b15e2510d00 488902 4839f8 720a 31c0 c3", 12, 20, 13, true);
    // The same behind mmap: rdx has the protection.
    expect_site("b8 09000000 0f05 488b15e2510d00 488902 4839f8 720a 31c0 c3", 9, 7, 0, false);
    expect_site("b8 0b000000 0f05 89c1 85c0 7825 c3", 11, 7, 0, false);  // rcx is overwritten
    expect_site("b8 0b000000 0f05 f7d8 c3", 11, 7, 0, false);            // neg %eax; ret
}

TEST(SyscallSites, WithoutAPlaceThereIsNone) {
    expect_none("b8 0b000000 0f05 c3", 1);            // ret: never probed
    expect_none("b8 0b000000 0f05", 1);               // the end
    expect_none("b8 0b000000 0f05 0f05 85c0 c3", 1);  // another call
}

TEST(SyscallSites, AJumpToTheCallBringsAnotherNumber) {
    expect_none("eb05 b8 0b000000 0f05 85c0 7825 c3", 1);
    expect_none("b8 0b000000 0f05 85c0 7825 ebf5 c3", 1);
    expect_site("eb00 b8 0b000000 0f05 85c0 7825 c3", 11, 11, 2, true);  // to the load: all right
}

TEST(SyscallSites, HostileBytesAreBounded) {
    std::vector<std::uint8_t> code;
    const auto pattern = from_hex("b8 09000000 0f05");
    while (code.size() < 4 << 20) code.insert(code.end(), pattern.begin(), pattern.end());
    const SyscallSites found = find_syscall_sites(code, kCode, kWishes);
    EXPECT_LE(found.sites.size(), kMaxSyscallSites);
    EXPECT_GT(found.unproved, 0U);
    const auto none = find_syscall_sites(Bytes(code).first(1), kCode, kWishes);
    EXPECT_EQ(none.sites.size() + none.unproved, 0U);
}

/// Calls by name, and how many of them have a cheap place.
std::map<std::string, std::pair<int, int>> sites_of(const std::string& path) {
    const auto module = ElfModule::open(path);
    EXPECT_TRUE(module) << path;
    CallSites found;
    add_mapping_calls(*module, path, nullptr, found);
    EXPECT_EQ(found.doubt, "");
    std::map<std::string, std::pair<int, int>> calls;
    for (const CallSite& site : found.sites) {
        auto& [all, cheap] = calls[std::string(call_name(site.number))];
        ++all;
        cheap += static_cast<int>(site.emulated);
        const auto place = module->source().read(site.file_offset - site.distance - 2, 2);
        EXPECT_EQ(place, (std::vector<std::uint8_t>{0x0f, 0x05}));
    }
    return calls;
}

TEST(CallSites, OfThisLibcAreAllCheapButPosixMadvise) {
    const auto modules = find_target_modules(::getpid());
    ASSERT_TRUE(modules);
    int seen = 0;
    for (const TargetModule& module : modules->modules) {
        const bool libc = module.path.find("libc.so.6") != std::string::npos;
        if (!libc && module.path.find("ld-linux") == std::string::npos) continue;
        ++seen;
        const auto calls = sites_of(module.open_path);
        for (const char* name : {"mmap", "munmap", "brk"})
            EXPECT_EQ(calls.at(name), std::pair(1, 1)) << module.path << " " << name;
        if (!libc) continue;
        EXPECT_EQ(calls.at("mremap"), std::pair(1, 1));
        EXPECT_EQ(calls.at("madvise"), std::pair(2, 1));
    }
    EXPECT_EQ(seen, 2);
}

TEST(CallSites, OfThisProcessNoneIsDoubted) {
    const auto found = find_mapping_calls(::getpid());
    ASSERT_TRUE(found);
#ifdef __has_feature
#if __has_feature(address_sanitizer)
    // Its runtime is in our executable, and maps memory by calls of its own.
    EXPECT_NE(found->doubt.find("have no place for a probe"), std::string::npos) << found->doubt;
    return;
#endif
#endif
    EXPECT_EQ(found->doubt, "");
}

TEST(CallSites, SocketCallsOfThisProcessHaveCheapPlaces) {
    const auto found = find_socket_calls(::getpid());
    ASSERT_TRUE(found);
    std::map<std::string, int> cheap;
    for (const CallSite& site : found->sites)
        if (site.emulated) ++cheap[std::string(call_name(site.number))];
    for (const char* name : {"read", "readv", "recvfrom", "recvmsg", "write", "writev", "sendto",
                             "sendmsg", "sendfile"})
        EXPECT_GE(cheap[name], 1) << name;
    // One for a single thread, one where the call may be cancelled.
    EXPECT_GE(cheap["recvfrom"], 2);
}

TEST(CallSites, OfAProcessThatIsNotThereAreAnError) {
    EXPECT_FALSE(find_socket_calls(0));
    EXPECT_FALSE(find_mapping_calls(0));
}

}  // namespace
}  // namespace asrtrace::capture
