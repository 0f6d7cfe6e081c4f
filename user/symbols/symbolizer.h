// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Address -> frames, for one process. Names come from the best source that a module has: DWARF
// (inline frames, file and line) from the file itself or from its separate debug file (build-id,
// .gnu_debuglink), else .symtab, .gnu_debugdata, .dynsym, else module+0x... Files are opened when a
// mapping is first seen, so that symbols remain known after the target has exited or has replaced a
// file. Not thread-safe: one thread owns a Symbolizer.
//
//   Symbolizer -- Mappings   (generation, pc)     -> module, file offset
//              -- Module *   file offset -> vaddr -> frames
//                   ElfImage, SymbolTable, DebugInfo: built when needed, dropped when memory is
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "user/base/maps.h"

namespace asrtrace::symbols {

/// Modules that are no file.
inline constexpr std::string_view kVdsoModule = "[vdso]";
inline constexpr std::string_view kJitModule = "[jit]";
inline constexpr std::string_view kUnknownModule = "[unknown]";

struct SourceFrame {
    std::string function;  ///< demangled, whole; empty if nobody knows
    std::string file;      ///< as the compiler saw it; empty if unknown
    std::uint32_t line = 0;
    std::string module;               ///< path as in maps, or "[vdso]", "[jit]", "[unknown]"
    std::uint64_t module_offset = 0;  ///< ELF virtual address (what addr2line takes) of the pc; in
                                      ///< "[jit]" and "[unknown]" the pc itself
    bool inlined = false;             ///< inlined into the next frame of the same pc
};

struct SymbolizerOptions {
    bool debuginfod = false;  ///< may fetch debug files over the network (DEBUGINFOD_URLS)
    std::string root;         ///< where the target's files are; empty: /proc/PID/root
    std::vector<std::string> debug_directories{"/usr/lib/debug"};  ///< inside root
    std::size_t memory_bytes = std::size_t{40} << 20U;             ///< of tables and caches, about
};

struct SymbolizerCounters {
    std::uint64_t lookups = 0;
    std::uint64_t unresolved = 0;          ///< lookups without a function, JIT code included
    std::uint64_t unmapped = 0;            ///< lookups outside every executable mapping
    std::uint64_t modules = 0;             ///< executable files seen
    std::uint64_t modules_failed = 0;      ///< could not be opened or are no valid ELF
    std::uint64_t debug_files_failed = 0;  ///< damaged, too large or too slow to read
    std::uint64_t mappings_dropped = 0;    ///< past the limits of what is remembered
    std::vector<std::string> errors;       ///< the first few, one a file, not escaped
};

struct ModuleInfo {
    std::string path;      ///< as in maps
    std::string build_id;  ///< hex; empty if there is none
    std::string source;    ///< "dwarf", "symtab", "debugdata", "dynsym" or "none"
};

class Symbolizer {
  public:
    /// Opens the target's root and reads its vdso; works on, with less, if either fails.
    explicit Symbolizer(pid_t pid, SymbolizerOptions options = {});
    ~Symbolizer();
    Symbolizer(Symbolizer&&) noexcept;
    Symbolizer& operator=(Symbolizer&&) noexcept;

    /// The target's mappings (all of them, sorted), valid for stacks of `generation` and of later
    /// ones until the next snapshot. Generations do not decrease. Opens the executable files that
    /// were not seen before, so call it while the target lives.
    void add_mappings(std::uint32_t generation, const std::vector<MapsEntry>& maps);

    /// Frames of one pc, the innermost inline frame first; never empty. `is_return_address`: the
    /// pc is behind a call, look up the byte in front of it. A generation older than the first
    /// snapshot uses the first. The result is valid until the next call.
    const std::vector<SourceFrame>& lookup(std::uint32_t generation, std::uint64_t pc,
                                           bool is_return_address);

    const SymbolizerCounters& counters() const;
    /// The executable files seen so far; reads each one's build-id.
    std::vector<ModuleInfo> modules();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

/// "libfoo.so+0x1234": the base name of `module` and the address in hex.
std::string module_offset_name(std::string_view module, std::uint64_t module_offset);

/// The function's name, else module_offset_name.
std::string frame_name(const SourceFrame& frame);

/// Lower-case hex of a build-id's bytes.
std::string build_id_hex(std::string_view build_id);

}  // namespace asrtrace::symbols
