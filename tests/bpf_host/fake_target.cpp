// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/bpf_host/fake_target.h"

#include <algorithm>
#include <cstring>

namespace asrtrace::unwind {
namespace {

constexpr std::size_t kChunkCells = UNWIND_CHUNK_CELLS;

}  // namespace

FakeTarget::FakeTarget() : cells_(kChunkCells, 0) {}

void FakeTarget::put(std::uint64_t address, const std::vector<std::uint8_t>& bytes) {
    for (std::uint8_t byte : bytes) {
        pages_[address >> 12][address & 4095] = byte;
        ++address;
    }
}

void FakeTarget::put_words(std::uint64_t address, const std::vector<std::uint64_t>& words) {
    if (words.empty()) return;
    std::vector<std::uint8_t> bytes(words.size() * 8);
    std::memcpy(bytes.data(), words.data(), bytes.size());
    put(address, bytes);
}

void FakeTarget::add_module(std::uint64_t begin, std::uint64_t bytes,
                            const std::vector<unwind_row>& rows, std::uint16_t module) {
    // Each module gets a chunk for its rows and whole chunks for its index: no packing here.
    const std::size_t rows_cell = cells_.size();
    cells_.resize(rows_cell + kChunkCells, 0);
    const std::size_t count = std::min(rows.size(), kChunkCells);
    if (count > 0) std::memcpy(&cells_[rows_cell], rows.data(), count * sizeof(unwind_row));
    const std::size_t index_cell = cells_.size();
    const std::size_t pages = bytes >> UNWIND_PAGE_SHIFT;
    cells_.resize(index_cell + (pages / 2 / kChunkCells + 1) * kChunkCells, 0);
    std::vector<std::uint32_t> index(pages, 0);
    for (std::size_t page = 0; page < pages && count > 0; ++page) {
        const auto before = [&](std::uint64_t offset) {
            return std::partition_point(rows.begin(), rows.begin() + static_cast<long>(count),
                                        [&](const unwind_row& r) { return r.pc < offset; }) -
                   rows.begin();
        };
        auto first = before((page << UNWIND_PAGE_SHIFT) + 1);
        const auto end = before((page + 1) << UNWIND_PAGE_SHIFT);
        if (first > 0) --first;
        const auto length = std::min<std::ptrdiff_t>(end - first, 255);
        index[page] = static_cast<std::uint32_t>(first << 8 | length);
    }
    if (pages > 0) std::memcpy(&cells_[index_cell], index.data(), pages * 4);
    mappings_.push_back({begin,
                         {begin, static_cast<__u32>(rows_cell), static_cast<__u32>(index_cell * 2),
                          static_cast<__u32>(bytes >> 12), UNWIND_MAPPING_TABLE, module}});
}

void FakeTarget::add_mapping(std::uint64_t begin, std::uint64_t bytes, unwind_mapping_kind kind,
                             std::uint16_t module, std::uint64_t bias) {
    mappings_.push_back(
        {begin, {bias, 0, 0, static_cast<__u32>(bytes >> 12), static_cast<__u16>(kind), module}});
}

int FakeTarget::read_user(void* self, void* to, __u32 bytes, __u64 address) {
    const auto& pages = static_cast<FakeTarget*>(self)->pages_;
    auto* out = static_cast<std::uint8_t*>(to);
    for (__u32 i = 0; i < bytes; ++i) {
        const auto page = pages.find((address + i) >> 12);
        if (page == pages.end()) return -1;
        out[i] = page->second[(address + i) & 4095];
    }
    return 0;
}

void* FakeTarget::chunk(void* self, __u32 bank, __u32 slot) {
    auto& cells = static_cast<FakeTarget*>(self)->cells_;
    const std::size_t at = (std::size_t{bank} * UNWIND_BANK_CHUNKS + slot) * kChunkCells;
    return at + kChunkCells <= cells.size() ? &cells[at] : nullptr;
}

host_walk FakeTarget::walked(host_walk walk) {
    std::sort(mappings_.begin(), mappings_.end(),
              [](const Mapping& a, const Mapping& b) { return a.begin < b.begin; });
    auto* space = reinterpret_cast<unwind_space*>(cells_.data());
    std::fill(std::begin(space->begin), std::end(space->begin), UNWIND_NO_MAPPING);
    unwind_process process{0, generation, UNWIND_NO_MAPPING, 0};
    for (std::size_t i = 0; i < std::min<std::size_t>(mappings_.size(), UNWIND_MAX_MAPPINGS); ++i) {
        space->begin[i] = mappings_[i].begin;
        space->mapping[i] = mappings_[i].value;
        if (mappings_[i].value.kind != UNWIND_MAPPING_TABLE) continue;
        process.table_begin = std::min<__u64>(process.table_begin, mappings_[i].begin);
        process.table_end = std::max<__u64>(
            process.table_end, mappings_[i].begin + (__u64{mappings_[i].value.pages} << 12));
    }
    walk.self = this;
    walk.read_user = &read_user;
    walk.chunk = &chunk;
    walk.process = &process;
    host_run(&walk);
    return walk;
}

}  // namespace asrtrace::unwind
