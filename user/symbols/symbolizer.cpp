// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/symbolizer.h"

#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "user/symbols/frame_cache.h"
#include "user/symbols/mappings.h"
#include "user/symbols/module.h"

namespace asrtrace::symbols {
namespace {

constexpr std::uint32_t kJit = std::numeric_limits<std::uint32_t>::max();
constexpr std::size_t kMaxModules = 6000;
constexpr std::size_t kMaxErrors = 32;
constexpr std::uint64_t kMaxVdsoBytes = std::uint64_t{1} << 20U;

/// Mappings of one file; a name that is used again for another file gets another module.
using FileKey = std::tuple<std::uint32_t, std::uint32_t, std::uint64_t, std::string>;

std::optional<std::vector<std::uint8_t>> read_memory(pid_t pid, const MapsEntry& entry) {
    if (entry.size_bytes() > kMaxVdsoBytes) return {};
    std::vector<std::uint8_t> bytes(entry.size_bytes());
    const iovec local{bytes.data(), bytes.size()};
    const iovec remote{reinterpret_cast<void*>(entry.begin), bytes.size()};  // NOLINT: theirs
    const ssize_t got = ::process_vm_readv(pid, &local, 1, &remote, 1, 0);
    if (got != static_cast<ssize_t>(bytes.size())) return {};
    return bytes;
}

}  // namespace

struct Symbolizer::State {
    State(pid_t target, SymbolizerOptions chosen)
        : pid(target),
          options(std::move(chosen)),
          files(std::make_shared<TargetFiles>(pid, options.root, options.debug_directories,
                                              options.debuginfod)),
          cache(options.memory_bytes / 4) {}

    std::uint32_t add_module(std::unique_ptr<Module> module);
    std::optional<std::uint32_t> module_of(const MapsEntry& entry);
    std::optional<std::uint32_t> vdso_module(const MapsEntry& entry);
    void collect_errors(Module& module);
    void keep_within_budget(std::uint32_t current);
    const std::vector<CachedFrame>& frames_at(std::uint32_t module, std::uint64_t vaddr);
    void single_frame(std::string_view module, std::uint64_t offset);
    void fill(std::uint32_t module, std::uint64_t offset, const std::vector<CachedFrame>& cached);

    pid_t pid;
    SymbolizerOptions options;
    std::shared_ptr<const TargetFiles> files;
    FrameCache cache;
    Mappings mappings;
    std::vector<std::unique_ptr<Module>> modules;
    std::vector<std::uint64_t> last_use;  ///< by module, in lookups
    std::map<FileKey, std::uint32_t> by_file;
    std::optional<std::uint32_t> vdso;
    SymbolizerCounters counters;
    std::vector<SourceFrame> result;
};

std::uint32_t Symbolizer::State::add_module(std::unique_ptr<Module> module) {
    ++counters.modules;
    if (module->failed()) ++counters.modules_failed;
    collect_errors(*module);
    modules.push_back(std::move(module));
    last_use.push_back(0);
    return static_cast<std::uint32_t>(modules.size() - 1);
}

void Symbolizer::State::collect_errors(Module& module) {
    for (std::string& message : module.take_errors()) {
        if (!module.failed()) ++counters.debug_files_failed;
        if (counters.errors.size() < kMaxErrors) counters.errors.push_back(std::move(message));
    }
}

std::optional<std::uint32_t> Symbolizer::State::vdso_module(const MapsEntry& entry) {
    if (vdso) return vdso;
    auto image = read_memory(pid, entry);
    if (!image) return {};
    vdso = add_module(std::make_unique<Module>(std::string(kVdsoModule), std::move(*image)));
    return vdso;
}

/// The module of an executable mapping; nothing if there are too many.
std::optional<std::uint32_t> Symbolizer::State::module_of(const MapsEntry& entry) {
    if (entry.path == kVdsoModule) return vdso_module(entry);
    if (!entry.is_file()) return kJit;
    const FileKey key{entry.device_major, entry.device_minor, entry.inode, entry.path};
    if (const auto known = by_file.find(key); known != by_file.end()) return known->second;
    if (modules.size() >= kMaxModules) return {};
    auto module = std::make_unique<Module>(entry.path, files->open_mapping(entry), files,
                                           options.memory_bytes);
    if (module->failed() && is_memory_file(entry.path)) {
        by_file.emplace(key, kJit);
        return kJit;
    }
    const std::uint32_t index = add_module(std::move(module));
    by_file.emplace(key, index);
    return index;
}

/// Drops tables of the modules that were used longest ago.
void Symbolizer::State::keep_within_budget(std::uint32_t current) {
    const std::size_t limit = options.memory_bytes - options.memory_bytes / 4;
    std::size_t total = 0;
    for (const auto& module : modules) total += module->cost_bytes();
    while (total > limit) {
        std::optional<std::uint32_t> oldest;
        for (std::uint32_t i = 0; i < modules.size(); ++i) {
            if (i == current || modules[i]->cost_bytes() == 0) continue;
            if (!oldest || last_use[i] < last_use[*oldest]) oldest = i;
        }
        const std::uint32_t victim = oldest.value_or(current);
        total -= modules[victim]->cost_bytes();
        modules[victim]->release();
        if (victim == current) return;
    }
}

const std::vector<CachedFrame>& Symbolizer::State::frames_at(std::uint32_t module,
                                                             std::uint64_t vaddr) {
    if (const auto* cached = cache.find(module, vaddr)) return *cached;
    last_use[module] = counters.lookups;
    const auto& cached = cache.put(module, vaddr, modules[module]->frames_at(vaddr));
    collect_errors(*modules[module]);
    keep_within_budget(module);
    return cached;
}

void Symbolizer::State::single_frame(std::string_view module, std::uint64_t offset) {
    ++counters.unresolved;
    result.resize(1);
    result[0] = SourceFrame{};
    result[0].module = module;
    result[0].module_offset = offset;
}

void Symbolizer::State::fill(std::uint32_t module, std::uint64_t offset,
                             const std::vector<CachedFrame>& cached) {
    result.resize(cached.size());
    for (std::size_t i = 0; i < cached.size(); ++i) {
        SourceFrame& frame = result[i];
        frame.function = *cached[i].function;
        frame.file = *cached[i].file;
        frame.line = cached[i].line;
        frame.inlined = cached[i].inlined;
        frame.module = modules[module]->path();
        frame.module_offset = offset;
    }
    if (result.back().function.empty()) ++counters.unresolved;
}

Symbolizer::Symbolizer(pid_t pid, SymbolizerOptions options)
    : state_(std::make_unique<State>(pid, std::move(options))) {
    const auto maps = read_maps(pid);
    if (!maps) return;
    for (const MapsEntry& entry : *maps) {
        if (entry.path == kVdsoModule) state_->vdso_module(entry);
    }
}

Symbolizer::~Symbolizer() = default;
Symbolizer::Symbolizer(Symbolizer&&) noexcept = default;
Symbolizer& Symbolizer::operator=(Symbolizer&&) noexcept = default;

void Symbolizer::add_mappings(std::uint32_t generation, const std::vector<MapsEntry>& maps) {
    std::vector<CodeRange> ranges;
    for (const MapsEntry& entry : maps) {
        if (!entry.executable) continue;
        const auto module = state_->module_of(entry);
        if (module) {
            ranges.push_back({entry.begin, entry.end, entry.file_offset, *module});
        } else {
            ++state_->counters.mappings_dropped;
        }
    }
    const std::uint64_t dropped = state_->mappings.dropped();
    state_->mappings.add_snapshot(generation, ranges);
    state_->counters.mappings_dropped += state_->mappings.dropped() - dropped;
}

const std::vector<SourceFrame>& Symbolizer::lookup(std::uint32_t generation, std::uint64_t pc,
                                                   bool is_return_address) {
    State& state = *state_;
    ++state.counters.lookups;
    const std::uint64_t back = is_return_address && pc > 0 ? 1 : 0;
    const std::uint64_t address = pc - back;
    const CodeRange* range = state.mappings.find(generation, address);
    if (range == nullptr) {
        ++state.counters.unmapped;
        state.single_frame(kUnknownModule, pc);
        return state.result;
    }
    if (range->module == kJit) {
        state.single_frame(kJitModule, pc);
        return state.result;
    }
    const Module& module = *state.modules[range->module];
    const std::uint64_t in_file = address - range->begin + range->file_offset;
    const auto vaddr = module.vaddr_of(in_file);
    if (!vaddr) {
        state.single_frame(module.path(), in_file + back);
        return state.result;
    }
    const auto& cached = state.frames_at(range->module, *vaddr);
    if (cached.empty()) {
        state.single_frame(module.path(), *vaddr + back);
    } else {
        state.fill(range->module, *vaddr + back, cached);
    }
    return state.result;
}

const SymbolizerCounters& Symbolizer::counters() const {
    return state_->counters;
}

std::vector<ModuleInfo> Symbolizer::modules() {
    std::vector<ModuleInfo> infos;
    for (std::uint32_t i = 0; i < state_->modules.size(); ++i) {
        Module& module = *state_->modules[i];
        infos.push_back({module.path(), build_id_hex(module.build_id()), module.source()});
        state_->collect_errors(module);
        state_->keep_within_budget(i);
    }
    return infos;
}

std::string module_offset_name(std::string_view module, std::uint64_t module_offset) {
    if (!module.starts_with('[')) module.remove_prefix(module.rfind('/') + 1);
    std::array<char, 16> digits{};
    const auto end =
        std::to_chars(digits.data(), digits.data() + digits.size(), module_offset, 16).ptr;
    return std::string(module) + "+0x" + std::string(digits.data(), end);
}

std::string frame_name(const SourceFrame& frame) {
    if (!frame.function.empty()) return frame.function;
    return module_offset_name(frame.module, frame.module_offset);
}

std::string build_id_hex(std::string_view build_id) {
    constexpr std::string_view kDigits = "0123456789abcdef";
    std::string hex;
    for (const char c : build_id) {
        const auto byte = static_cast<unsigned char>(c);
        hex += kDigits[byte >> 4U];
        hex += kDigits[byte & 15U];
    }
    return hex;
}

}  // namespace asrtrace::symbols
