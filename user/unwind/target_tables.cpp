// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/target_tables.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>
#include <tuple>

#include "user/base/beside.h"
#include "user/unwind/module.h"
#include "user/unwind/table_store.h"

namespace asrtrace::unwind {
namespace {

constexpr std::uint64_t kPageShift = 12;
/// Entries of libraries long upgraded away should not pile up.
constexpr std::uint64_t kCacheLimitBytes = std::uint64_t{1} << 30;

/// A mapped file while somebody maps it; the vdso has no inode and one content for all.
using FileKey = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t>;

FileKey file_key(const MapsEntry& entry) {
    return {entry.device_major, entry.device_minor, entry.inode};
}

struct PlacedMapping {
    std::uint64_t begin = 0;
    unwind_mapping value{};
    std::uint64_t end() const { return begin + (std::uint64_t{value.pages} << kPageShift); }
    bool operator==(const PlacedMapping& other) const {
        return begin == other.begin && std::memcmp(&value, &other.value, sizeof(value)) == 0;
    }
};

struct Process {
    std::map<FileKey, std::shared_ptr<const Module>> modules;
    std::vector<PlacedMapping> mappings;
    Extent space;
    unwind_process record{};
};

/// Executable files that are no ELF files are walked like generated code, but have names.
bool is_generated(const PlacedMapping& mapping) {
    return mapping.value.kind == UNWIND_MAPPING_JIT && mapping.value.module == 0;
}

/// Can `next` be part of `last`? Neighbours of one file, and generated code with nothing between.
bool merges(const PlacedMapping& last, const PlacedMapping& next) {
    if (is_generated(last) && is_generated(next)) return next.end() - last.begin < 1ULL << 43;
    return last.value.kind == next.value.kind && last.value.module == next.value.module &&
           last.value.index_word == next.value.index_word && last.value.bias == next.value.bias &&
           last.end() == next.begin;
}

void append_merged(std::vector<PlacedMapping>& mappings, const PlacedMapping& next) {
    if (mappings.empty() || !merges(mappings.back(), next)) {
        mappings.push_back(next);
        return;
    }
    PlacedMapping& last = mappings.back();
    last.value.pages = static_cast<__u32>((next.end() - last.begin) >> kPageShift);
}

PlacedMapping place_mapping(const MapsEntry& entry, const Module* module) {
    PlacedMapping placed;
    placed.begin = entry.begin;
    placed.value.pages =
        static_cast<__u32>(std::min<std::uint64_t>(entry.size_bytes() >> kPageShift, ~__u32{0}));
    placed.value.kind = UNWIND_MAPPING_NO_TABLE;
    if (module == nullptr || !module->is_elf) placed.value.kind = UNWIND_MAPPING_JIT;
    if (module == nullptr) return placed;
    placed.value.bias = entry.begin - entry.file_offset;
    placed.value.module = module->number;
    if (!module->table) return placed;
    const PlacedTable& table = *module->table;
    const auto linked = linked_address(module->segments, entry);
    if (!linked || *linked < table.text_begin) return placed;
    const std::uint64_t inside = *linked - table.text_begin;
    if (inside >= table.text_bytes) return placed;
    placed.value.kind = UNWIND_MAPPING_TABLE;
    placed.value.bias = entry.begin - inside;
    placed.value.rows_cell = static_cast<__u32>(table.rows.cell);
    placed.value.index_word = static_cast<__u32>(table.index.cell * 2);
    placed.value.pages = static_cast<__u32>(
        std::min<std::uint64_t>(placed.value.pages, (table.text_bytes - inside) >> kPageShift));
    return placed;
}

/// Whether no address of `old` means another function among `mappings`. Generated code has no
/// names: it may come, grow and go, as long as no file takes its place.
bool still_means(const PlacedMapping& old, const std::vector<PlacedMapping>& mappings) {
    if (!is_generated(old)) {
        return std::find(mappings.begin(), mappings.end(), old) != mappings.end();
    }
    return std::none_of(mappings.begin(), mappings.end(), [&](const PlacedMapping& mapping) {
        return !is_generated(mapping) && mapping.begin < old.end() && old.begin < mapping.end();
    });
}

}  // namespace

struct TargetTables::State {
    State(BankProvider& provider, const TableCache* cache, unsigned thread_count)
        : store(provider, cache), threads(thread_count) {
        if (threads == 0) threads = std::max(1U, std::thread::hardware_concurrency());
    }

    void load_modules(pid_t pid, Process& process, const std::vector<MapsEntry>& maps,
                      ProcessUpdate& update);
    std::vector<PlacedMapping> place_mappings(const Process& process,
                                              const std::vector<MapsEntry>& maps,
                                              ProcessUpdate& update) const;
    std::uint32_t generation_for(const Process& process,
                                 const std::vector<PlacedMapping>& mappings);
    Status publish(Process& process, std::vector<PlacedMapping> mappings);

    TableStore store;
    unsigned threads;
    std::map<pid_t, Process> processes;
    std::uint32_t last_generation = 0;
    std::vector<Extent> retired;  ///< mapping chunks that a walk may still be reading
};

/// Loads the modules that the process did not have before, the biggest first, and drops those gone.
void TargetTables::State::load_modules(pid_t pid, Process& process,
                                       const std::vector<MapsEntry>& maps, ProcessUpdate& update) {
    std::map<FileKey, std::shared_ptr<const Module>> kept;
    std::vector<const MapsEntry*> wanted;
    std::set<FileKey> seen;
    for (const MapsEntry& entry : maps) {
        const MappingClass what = classify_mapping(entry);
        if (what != MappingClass::kFile && what != MappingClass::kVdso) continue;
        if (!seen.insert(file_key(entry)).second) continue;
        const auto known = process.modules.find(file_key(entry));
        if (known != process.modules.end()) {
            kept.insert(*known);
        } else {
            wanted.push_back(&entry);
        }
    }
    std::sort(wanted.begin(), wanted.end(), [](const MapsEntry* a, const MapsEntry* b) {
        return a->size_bytes() > b->size_bytes();
    });
    std::vector<std::shared_ptr<const Module>> loaded(wanted.size());
    std::atomic<std::size_t> next{0};
    const auto work = [&] {
        for (std::size_t i = next++; i < wanted.size(); i = next++) {
            loaded[i] = std::make_shared<const Module>(store.load(pid, *wanted[i]));
        }
    };
    std::vector<std::jthread> helpers;
    for (std::size_t i = 1; i < std::min<std::size_t>(threads, wanted.size()); ++i) {
        helpers.push_back(do_beside(work));
    }
    work();
    helpers.clear();
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const Module& module = *loaded[i];
        kept.emplace(file_key(*wanted[i]), loaded[i]);
        if (module.is_new_table) {
            ++(module.from_cache ? update.tables_cached : update.tables_built);
            if (!module.from_cache) update.rows_built += module.rows;
        }
        if (!module.problem.empty() && module.is_elf) {
            update.problems.push_back({wanted[i]->path, module.problem});
        }
    }
    if (update.tables_built > 0 && store.cache() != nullptr) store.cache()->prune(kCacheLimitBytes);
    process.modules = std::move(kept);
}

std::vector<PlacedMapping> TargetTables::State::place_mappings(const Process& process,
                                                               const std::vector<MapsEntry>& maps,
                                                               ProcessUpdate& update) const {
    std::vector<PlacedMapping> mappings;
    for (const MapsEntry& entry : maps) {
        PlacedMapping placed;
        switch (classify_mapping(entry)) {
            case MappingClass::kIgnored:
                continue;
            case MappingClass::kTrampoline:
                placed = place_mapping(entry, nullptr);
                placed.value.kind = UNWIND_MAPPING_UPROBES;
                break;
            case MappingClass::kJit:
                placed = place_mapping(entry, nullptr);
                break;
            case MappingClass::kFile:
            case MappingClass::kVdso: {
                const auto module = process.modules.find(file_key(entry));
                if (module == process.modules.end()) continue;
                placed = place_mapping(entry, module->second.get());
                break;
            }
        }
        if (placed.value.kind == UNWIND_MAPPING_JIT) update.jit_bytes += entry.size_bytes();
        append_merged(mappings, placed);
    }
    return mappings;
}

/// One generation means one address space, and a forked child's is its parent's until either maps
/// something: what is shared then ends for the one that does.
std::uint32_t TargetTables::State::generation_for(const Process& process,
                                                  const std::vector<PlacedMapping>& mappings) {
    const std::uint32_t own = process.record.generation;
    const auto is_other = [&](const auto& entry) { return &entry.second != &process; };
    if (own == 0) {
        const auto twin = std::find_if(processes.begin(), processes.end(), [&](const auto& entry) {
            return is_other(entry) && entry.second.mappings == mappings;
        });
        return twin != processes.end() ? twin->second.record.generation : ++last_generation;
    }
    const bool shared = std::any_of(processes.begin(), processes.end(), [&](const auto& entry) {
        return is_other(entry) && entry.second.record.generation == own;
    });
    const bool same_meaning =
        std::all_of(process.mappings.begin(), process.mappings.end(),
                    [&](const PlacedMapping& old) { return still_means(old, mappings); });
    return same_meaning && !shared ? own : ++last_generation;
}

/// Lays the mappings out in a chunk of their own and makes the record point there.
Status TargetTables::State::publish(Process& process, std::vector<PlacedMapping> mappings) {
    if (mappings.size() > UNWIND_MAX_MAPPINGS) {
        return Error{"more than " + std::to_string(UNWIND_MAX_MAPPINGS) + " executable mappings"};
    }
    auto extent = store.space().allocate(UNWIND_CHUNK_BYTES);
    if (!extent) return extent.error();
    auto space = std::make_unique<unwind_space>();
    std::fill(std::begin(space->begin), std::end(space->begin), UNWIND_NO_MAPPING);
    unwind_process record{};
    record.table_begin = UNWIND_NO_MAPPING;
    for (std::size_t i = 0; i < mappings.size(); ++i) {
        space->begin[i] = mappings[i].begin;
        space->mapping[i] = mappings[i].value;
        if (mappings[i].value.kind != UNWIND_MAPPING_TABLE) continue;
        record.table_begin = std::min<__u64>(record.table_begin, mappings[i].begin);
        record.table_end = std::max<__u64>(record.table_end, mappings[i].end());
    }
    store.space().write(
        *extent, Bytes(reinterpret_cast<const std::uint8_t*>(space.get()), sizeof(unwind_space)));
    record.generation = generation_for(process, mappings);
    record.space_chunk = static_cast<__u32>(extent->cell / UNWIND_CHUNK_CELLS);
    retired.push_back(process.space);
    process.space = *extent;
    process.record = record;
    process.mappings = std::move(mappings);
    return ok_status();
}

TargetTables::TargetTables(BankProvider& provider, const TableCache* cache, unsigned threads)
    : state_(std::make_unique<State>(provider, cache, threads)) {}

TargetTables::~TargetTables() = default;

Result<ProcessUpdate> TargetTables::update(pid_t pid, const std::vector<MapsEntry>& maps) {
    ProcessUpdate update;
    for (const Extent& extent : state_->retired) state_->store.space().release(extent);
    state_->retired.clear();
    Process& process = state_->processes[pid];
    state_->load_modules(pid, process, maps, update);
    std::vector<PlacedMapping> mappings = state_->place_mappings(process, maps, update);
    if (mappings != process.mappings || process.record.generation == 0) {
        if (auto status = state_->publish(process, std::move(mappings)); !status) {
            return status.error();
        }
        update.changed = true;
    }
    for (const auto& [key, module] : process.modules) update.modules += module->table ? 1 : 0;
    state_->store.collect();
    update.record = process.record;
    return update;
}

void TargetTables::forget(pid_t pid) {
    const auto found = state_->processes.find(pid);
    if (found == state_->processes.end()) return;
    state_->retired.push_back(found->second.space);
    state_->processes.erase(found);
}

std::uint64_t TargetTables::used_bytes() const {
    return state_->store.space().used_bytes();
}

std::uint64_t TargetTables::reserved_bytes() const {
    return state_->store.space().reserved_bytes();
}

}  // namespace asrtrace::unwind
