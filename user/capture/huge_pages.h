// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// May a page fault bring more than a page? (Documentation/admin-guide/mm/transhuge.rst)
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <istream>
#include <string>

namespace asrtrace::capture {

enum class HugePages : std::uint8_t {
    kNever,
    kAdvised,  ///< in mappings for which madvise(MADV_HUGEPAGE) was called
    kAlways,
};

/// The most that the machine allows, of any size of pages. `root` holds "enabled", and
/// "hugepages-*kB/enabled" since Linux 6.8; without it no page is huge.
HugePages huge_pages_allowed(const std::string& root = "/sys/kernel/mm/transparent_hugepage");

/// Does /proc/PID/smaps name a mapping of which huge pages are advised? Of more mappings than can
/// be looked at while somebody waits it is taken for granted.
bool advises_huge_pages(std::istream& smaps);

/// Both for a process: kAdvised, if it has not advised any so far.
HugePages huge_pages_of(pid_t pid);

}  // namespace asrtrace::capture
