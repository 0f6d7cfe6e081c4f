// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Which allocation functions a target has and where to put the probes, and what allocates past
// them. Every libc of the target counts: there may be several, in other mount namespaces, deleted,
// or inside a static executable.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/result.h"
#include "user/capture/module_file.h"
#include "user/capture/placement.h"

namespace asrtrace::capture {

/// Functions are told apart by address: where aligned_alloc is memalign (glibc before 2.38) there
/// is one probe, kMemalign. reallocarray is none of them: it enters realloc, which is probed.
enum class AllocatorFunction : std::uint8_t {
    kMalloc,         ///< (size)
    kCalloc,         ///< (count, size)
    kRealloc,        ///< (old, size)
    kMemalign,       ///< (alignment, size)
    kAlignedAlloc,   ///< (alignment, size)
    kPosixMemalign,  ///< (out, alignment, size), returns a status
    kValloc,         ///< (size)
    kPvalloc,        ///< (size)
    kFree,           ///< (old), no return probe
};
constexpr std::size_t kAllocatorFunctions = 9;

/// The C name: "posix_memalign".
std::string_view function_name(AllocatorFunction function);
/// What a probe on it reads: arguments, return probe, NULL test.
Need need_of(AllocatorFunction function);

enum class AllocatorKind : std::uint8_t {
    kGlibc,
    kMusl,
    kJemalloc,
    kTcmalloc,
    kMimalloc,
    kSanitizer,
    kOther,
};
std::string_view kind_name(AllocatorKind kind);

struct AllocatorLibrary {
    AllocatorKind kind = AllocatorKind::kOther;
    std::string path;  ///< as the target names it
    std::shared_ptr<const ModuleFile> file;
    std::string version;  ///< "2.36"; empty if unknown
    std::string build_id;
    bool static_executable = false;
};

struct AllocatorProbe {
    AllocatorFunction function{};
    std::size_t library = 0;  ///< index into AllocatorProbes::libraries
    Placement placement;      ///< where the probe stands
    std::uint64_t symbol_file_offset = 0;
    bool wants_return = false;
};

/// Allocations that the probes do not see.
struct Bypass {
    AllocatorKind kind{};
    std::string allocator;  ///< "jemalloc", "static libc", or the library's file name
    std::string module;     ///< path as the target names it
    bool replaces_malloc =
        false;                ///< defines malloc; false: used beside it, under names of its own
    std::string explanation;  ///< a sentence for people: what is lost, what still works
};

struct AllocatorProbes {
    /// Whose malloc the program calls, as far as the modules tell: "glibc", "jemalloc", "none".
    std::string allocator;
    std::vector<AllocatorLibrary> libraries;  ///< the libcs that are probed
    std::vector<AllocatorProbe> probes;
    std::vector<Bypass> bypasses;
    std::size_t modules_skipped = 0;  ///< executable files that could not be looked at
};

struct AllocatorOptions {
    bool long_nops = false;  ///< see Need
};

/// Error: the process is gone, may not be read or is a kernel thread. No libc is no error: the
/// probes are empty and `bypasses` says why.
Result<AllocatorProbes> discover_allocator(pid_t pid, const AllocatorOptions& options = {});

/// The same for one file, as a module named `path` that was read from `file`; `main` as in
/// TargetModule.
void add_module(const ElfModule& module, const std::string& path,
                const std::shared_ptr<const ModuleFile>& file, bool main,
                const AllocatorOptions& options, AllocatorProbes& out);

}  // namespace asrtrace::capture
