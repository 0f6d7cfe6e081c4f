// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/base/syscall_filter.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>

#include "user/base/architecture.h"

namespace asrtrace {
namespace {

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the low half of an argument comes first");

constexpr std::uint32_t kEperm = SECCOMP_RET_ERRNO | EPERM;

}  // namespace

SyscallFilter::SyscallFilter(Others others) : others_(others) {
    program_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, arch)));
    jump(BPF_JEQ, kAuditArchitecture, 1, 0);
    answer(kEperm);
    program_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
#ifdef __X32_SYSCALL_BIT
    jump(BPF_JGE, __X32_SYSCALL_BIT, 0, 1);
    answer(kEperm);
#endif
}

void SyscallFilter::jump(std::uint16_t test, std::uint32_t value, std::uint8_t if_true,
                         std::uint8_t if_false) {
    const auto code = static_cast<std::uint16_t>(BPF_JMP | test | BPF_K);
    program_.push_back({code, if_true, if_false, value});
}

void SyscallFilter::answer(std::uint32_t action) {
    program_.push_back(BPF_STMT(BPF_RET | BPF_K, action));
}

/// A rule of `length` instructions behind the comparison; each of its ways ends in an answer, so
/// that the next rule still finds the number loaded.
void SyscallFilter::begin(long number, std::size_t length) {
    jump(BPF_JEQ, static_cast<std::uint32_t>(number), 0, static_cast<std::uint8_t>(length));
}

void SyscallFilter::load(unsigned argument, bool high_half) {
    const std::size_t offset =
        offsetof(seccomp_data, args) + sizeof(std::uint64_t) * argument + (high_half ? 4 : 0);
    program_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<std::uint32_t>(offset)));
}

void SyscallFilter::allow(std::initializer_list<long> numbers) {
    for (const long number : numbers) {
        begin(number, 1);
        answer(SECCOMP_RET_ALLOW);
    }
}

void SyscallFilter::refuse(std::initializer_list<long> numbers, int error_number) {
    for (const long number : numbers) {
        begin(number, 1);
        answer(SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error_number));
    }
}

void SyscallFilter::allow_values(const std::vector<std::uint32_t>& values) {
    for (const std::uint32_t value : values) {
        jump(BPF_JEQ, value, 0, 1);
        answer(SECCOMP_RET_ALLOW);
    }
}

void SyscallFilter::allow_without(long number, unsigned argument, std::uint32_t bits,
                                  const std::vector<std::uint32_t>& others) {
    begin(number, 4 + 2 * others.size());
    load(argument, false);
    allow_values(others);
    jump(BPF_JSET, bits, 0, 1);
    answer(kEperm);
    answer(SECCOMP_RET_ALLOW);
}

void SyscallFilter::allow_with(long number, unsigned argument, std::uint32_t bits) {
    begin(number, 4);
    load(argument, false);
    jump(BPF_JSET, bits, 1, 0);
    answer(kEperm);
    answer(SECCOMP_RET_ALLOW);
}

void SyscallFilter::allow_one_of(long number, unsigned argument,
                                 const std::vector<std::uint32_t>& values) {
    begin(number, 2 + 2 * values.size());
    load(argument, false);
    allow_values(values);
    answer(kEperm);
}

void SyscallFilter::allow_equal(long number, unsigned argument, std::uint64_t value) {
    begin(number, 6);
    load(argument, false);
    jump(BPF_JEQ, static_cast<std::uint32_t>(value), 0, 3);
    load(argument, true);
    jump(BPF_JEQ, static_cast<std::uint32_t>(value >> 32), 0, 1);
    answer(SECCOMP_RET_ALLOW);
    answer(kEperm);
}

Status SyscallFilter::install() {
    answer(others_ == Others::kAllowed ? std::uint32_t{SECCOMP_RET_ALLOW} : kEperm);
    const sock_fprog program{static_cast<unsigned short>(program_.size()), program_.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return errno_error("PR_SET_NO_NEW_PRIVS");
    if (::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0)
        return errno_error("seccomp filter");
    return ok_status();
}

}  // namespace asrtrace
