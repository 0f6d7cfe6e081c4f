// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process that exists on paper only: memory, modules with hand-made rows, mappings. Lays them out
// as TargetTables does and runs the host-compiled walker over them.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <vector>

#include "tests/bpf_host/walker.h"

namespace asrtrace::unwind {

// Where tests put code and the stack.
constexpr std::uint64_t kText = 0x400000;
constexpr std::uint64_t kJit = 0x10000000;
constexpr std::uint64_t kStack = 0x7fff0000;

class FakeTarget {
  public:
    FakeTarget();

    /// Memory; the rest of a page that holds any reads as zeros. A later call wins where they
    /// overlap.
    void put(std::uint64_t address, const std::vector<std::uint8_t>& bytes);
    void put_words(std::uint64_t address, const std::vector<std::uint64_t>& words);

    /// A module with rows over [begin, begin + bytes); rows by offset, ascending. Bytes: whole
    /// pages. `module`: its number, 0: none.
    void add_module(std::uint64_t begin, std::uint64_t bytes, const std::vector<unwind_row>& rows,
                    std::uint16_t module = 0);
    /// A mapping without rows; pc - bias is what the walker takes for its place in the file.
    void add_mapping(std::uint64_t begin, std::uint64_t bytes, unwind_mapping_kind kind,
                     std::uint16_t module = 0, std::uint64_t bias = 0);

    std::uint32_t generation = 1;

    /// Walks with what is set in `walk` (registers, input); fills in the rest.
    stack_record run(host_walk walk) { return walked(walk).stack; }
    /// The same, with all that came out.
    host_walk walked(host_walk walk);

  private:
    struct Mapping {
        std::uint64_t begin;
        unwind_mapping value;
    };
    static int read_user(void* self, void* to, __u32 bytes, __u64 address);
    static void* chunk(void* self, __u32 bank, __u32 slot);

    std::map<std::uint64_t, std::array<std::uint8_t, 4096>> pages_;  ///< by address >> 12
    std::vector<Mapping> mappings_;
    std::vector<std::uint64_t> cells_;  ///< the space; chunk 0 holds the mappings
};

}  // namespace asrtrace::unwind
