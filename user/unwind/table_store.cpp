// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/table_store.h"

#include <limits>
#include <new>
#include <optional>

#include "user/unwind/digest.h"

namespace asrtrace::unwind {
namespace {

/// Equal for files with the same build-id and the same call frame information.
std::uint64_t identify(std::uint64_t key, const std::string& build_id, const CfiSource& source) {
    Digest digest(key);
    digest.add(Bytes(reinterpret_cast<const std::uint8_t*>(build_id.data()), build_id.size()));
    digest.add(source.machine);
    digest.add(source.text_begin);
    digest.add(source.text_bytes);
    digest.add(source.eh_frame.address);
    digest.add(source.eh_frame.data);
    digest.add(source.debug_frame.data);
    return digest.value();
}

}  // namespace

/// Stacks are known by these numbers, and a stack's names are those that its first owner's files
/// gave it. So one number is one path to one version of a file; the vdso goes by its build-id.
std::uint16_t TableStore::number_of(const std::string& path, const std::string& build_id,
                                    const FileVersion& version) {
    Digest digest(key_);
    for (const std::string* text : {&path, &build_id}) {
        digest.add(Bytes(reinterpret_cast<const std::uint8_t*>(text->data()), text->size()));
    }
    for (const std::uint64_t part :
         {version.device, version.inode, version.bytes, version.written_ns}) {
        digest.add(part);
    }
    const std::lock_guard lock(mutex_);
    const auto known = numbers_.find(digest.value());
    if (known != numbers_.end()) return known->second;
    if (numbers_.size() >= std::numeric_limits<std::uint16_t>::max()) return 0;
    const auto number = static_cast<std::uint16_t>(numbers_.size() + 1);
    numbers_.emplace(digest.value(), number);
    return number;
}

std::shared_ptr<const PlacedTable> TableStore::find(std::uint64_t identity) {
    const std::lock_guard lock(mutex_);
    const auto found = tables_.find(identity);
    return found == tables_.end() ? nullptr : found->second;
}

Result<std::shared_ptr<const PlacedTable>> TableStore::place(std::uint64_t identity,
                                                             const UnwindTable& table) {
    const std::lock_guard lock(mutex_);
    auto placed = std::make_shared<PlacedTable>();
    placed->text_begin = table.text_begin;
    placed->text_bytes = table.text_bytes;
    auto index = space_.allocate(table.index.size() * 4);
    if (!index) return index.error();
    auto rows = space_.allocate(table.rows.size() * sizeof(unwind_row));
    if (!rows) {
        space_.release(*index);
        return rows.error();
    }
    placed->index = *index;
    placed->rows = *rows;
    space_.write(*index, as_bytes(table.index));
    space_.write(*rows, as_bytes(table.rows));
    return tables_[identity] = placed;
}

Module TableStore::load(pid_t pid, const MapsEntry& entry) {
    Module module;
    const auto file = open_module(pid, entry);
    if (!file) {
        module.is_elf = file.error().message != kNotElf;
        module.problem = file.error().message;
        if (!module.is_elf && !is_memory_file(entry.path)) {
            module.number =
                number_of(entry.path, {},
                          {.device = std::uint64_t{entry.device_major} << 32U | entry.device_minor,
                           .inode = entry.inode});
        }
        return module;
    }
    module.number = number_of(entry.path, file->build_id(), file->version());
    module.segments = file->segments();
    try {
        const auto share = loading_.take(file->frame_bytes());
        load_table(*file, module);
    } catch (const std::bad_alloc&) {
        module.problem = "no memory for its call frame information";
    }
    return module;
}

void TableStore::load_table(const ElfFile& file, Module& module) {
    const auto source = read_cfi(file);
    if (!source) {
        module.problem = source.error().message;
        return;
    }
    const std::uint64_t identity = identify(key_, file.build_id(), *source);
    module.table = find(identity);
    if (module.table) return;

    std::optional<UnwindTable> table;
    if (cache_ != nullptr) table = cache_->load(file.build_id(), *source);
    module.from_cache = table.has_value();
    if (!table) {
        auto built = build_table(*source);
        if (!built) {
            module.problem = built.error().message;
            return;
        }
        table = std::move(*built);
        // A cache that cannot be written costs time at the next attach and nothing else.
        if (cache_ != nullptr && !table->rows.empty()) {
            (void)cache_->store(file.build_id(), *source, *table);
        }
    }
    module.rows = table->rows.size();
    if (table->rows.empty()) {
        module.problem = "no call frame information";
        return;
    }
    if (table->damaged_entries != 0) {
        module.problem =
            std::to_string(table->damaged_entries) + " damaged CIEs or FDEs passed over";
    }
    auto placed = place(identity, *table);
    if (!placed) {
        module.problem = placed.error().message;
        return;
    }
    module.table = std::move(*placed);
    module.is_new_table = true;
}

void TableStore::collect() {
    const std::lock_guard lock(mutex_);
    for (const Extent& extent : retired_) space_.release(extent);
    retired_.clear();
    for (auto it = tables_.begin(); it != tables_.end();) {
        if (it->second.use_count() > 1) {
            ++it;
            continue;
        }
        retired_.push_back(it->second->index);
        retired_.push_back(it->second->rows);
        it = tables_.erase(it);
    }
}

}  // namespace asrtrace::unwind
