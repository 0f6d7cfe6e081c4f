// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a thread that reads a target's bytes may still do (docs/trust.md): a seccomp filter of its
// own, which lists the system calls that are left and answers EPERM to all others, and the few
// capabilities that its reading takes. Both are for good, and pass on to the threads that it
// starts.
#pragma once

#include <fcntl.h>
#include <linux/openat2.h>

#include <cstdint>

#include "user/base/capabilities.h"
#include "user/base/result.h"

namespace asrtrace {

/// Memory, locks, clocks, reading what is open, and messages on standard error are always allowed.
struct Confinement {
    const char* name;                   ///< of the thread, at most 15 characters
    CapabilitySet capabilities = 0;     ///< kept
    bool opens_files = false;           ///< for reading: open, directories, links
    bool reads_processes = false;       ///< process_vm_readv
    bool stops_processes = false;       ///< and reads their registers, by ptrace
    std::uint32_t ioctl = 0;            ///< the only one, if any
    bool raises_priority = false;       ///< its own
    bool starts_threads = false;        ///< never a process
    bool fills_bpf_maps = false;        ///< creates maps and sets elements; loads no program
    bool makes_nameless_files = false;  ///< with kNamelessFile, and writes to files that are open
    bool switches_bpf_statistics = false;
    bool writes_files = false;    ///< creates, renames and removes files
    bool sends_requests = false;  ///< over the Internet protocols, never as a server
};

/// What it takes to read another process and its files, whoever it runs as.
inline constexpr CapabilitySet kReadingCapabilities = capability_set(
    Capability::kSysPtrace, Capability::kDacReadSearch, Capability::kCheckpointRestore);

/// open's flags for a temporary file that never gets a name.
inline constexpr int kNamelessFile = O_TMPFILE | O_EXCL | O_RDWR | O_CLOEXEC;

/// openat2's argument with which a confined thread may open a file below a target's root: the
/// filter knows it by its address, for it cannot look behind a pointer.
// NOLINTNEXTLINE(readability-identifier-naming): a constant, though not known as one here
extern const open_how kReadInRoot;

/// For a thread that writes our own files and attaches probes, or that keeps files from a server:
/// keeps these capabilities, and may never again start a program or a process, trace, write to
/// another process, or touch modules, mounts, namespaces and keys. All else stays as it was. Errors
/// as below.
Status settle_thread(CapabilitySet kept);

/// The same for a thread that gets a name, too.
struct Settlement {
    const char* name;  ///< of the thread, at most 15 characters
    CapabilitySet capabilities = 0;
};
Status confine_thread(const Settlement& settlement);

/// Confines the calling thread. Error: this kernel has no seccomp filters, or does not allow them;
/// the capabilities are gone then all the same.
Status confine_thread(const Confinement& confinement);

}  // namespace asrtrace
