// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/usdt.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "user/capture/placement.h"
#include "user/capture/target_module.h"

namespace asrtrace::capture {
namespace {

constexpr std::uint32_t kStapsdtType = 3;
constexpr std::size_t kMaxText = 1024;
constexpr std::size_t kMaxOperandSymbols = 64;

/// The string at the front of `bytes`, which is then past its NUL; nothing if there is no NUL.
std::optional<std::string> take_string(Bytes& bytes) {
    const auto end = std::find(bytes.begin(), bytes.end(), 0);
    if (end == bytes.end()) return std::nullopt;
    std::string text(bytes.begin(), end);
    bytes = bytes.subspan(text.size() + 1);
    if (text.size() > kMaxText) text.resize(kMaxText);
    return text;
}

/// Note: location, address of .stapsdt.base, semaphore (8 bytes each), provider, name, arguments.
std::optional<UsdtProbe> parse_note(const ElfModule& module, const ElfNote& note,
                                    std::uint64_t base) {
    if (note.owner != "stapsdt" || note.type != kStapsdtType) return std::nullopt;
    Bytes rest = note.desc;
    const auto location = read_at<std::uint64_t>(rest, 0);
    const auto noted_base = read_at<std::uint64_t>(rest, 8);
    const auto semaphore = read_at<std::uint64_t>(rest, 16);
    if (!semaphore) return std::nullopt;
    rest = rest.subspan(24);
    const auto provider = take_string(rest);
    const auto name = take_string(rest);
    const auto arguments = take_string(rest);
    if (!provider || !name || !arguments) return std::nullopt;
    // prelink moves sections and .stapsdt.base with them, but not what notes say.
    const std::uint64_t moved = base != 0 && *noted_base != 0 ? base - *noted_base : 0;
    UsdtProbe probe;
    probe.provider = *provider;
    probe.name = *name;
    probe.module = module.name();
    probe.vaddr = *location + moved;
    const ElfSegment* segment = module.find_segment(probe.vaddr);
    const auto offset = module.file_offset(probe.vaddr);
    if (!offset || !segment->executable) return std::nullopt;
    probe.file_offset = *offset;
    if (*semaphore != 0) {
        // Without its semaphore set, the program never reaches the probe.
        const ElfSegment* data = module.find_segment(*semaphore + moved);
        const auto place = module.file_offset(*semaphore + moved);
        if (!place || !data->writable) return std::nullopt;
        probe.semaphore_file_offset = *place;
    }
    const auto code = module.bytes_at(probe.vaddr, 1);
    probe.emulated = module.machine() == EM_X86_64 && code && is_emulated(*code);
    probe.arguments_text = *arguments;
    return probe;
}

bool matches(const UsdtProbe& probe, std::string_view provider, std::string_view name) {
    return (provider.empty() || probe.provider == provider) && (name.empty() || probe.name == name);
}

/// Addresses of the symbols that the probes' operands name, by one pass over the symbol table: a
/// lookup an operand would let a hostile module occupy us for hours.
std::map<std::string, std::uint64_t, std::less<>> find_operand_symbols(
    const ElfModule& module, const std::vector<UsdtProbe>& probes) {
    std::set<std::string, std::less<>> names;
    UsdtContext collect;
    collect.machine = module.machine();
    collect.find_symbol = [&](std::string_view name) -> std::optional<std::uint64_t> {
        if (names.size() < kMaxOperandSymbols) names.emplace(name);
        return std::nullopt;
    };
    for (const UsdtProbe& probe : probes) parse_usdt_arguments(probe.arguments_text, collect);
    if (names.empty()) return {};
    std::map<std::string, std::uint64_t, std::less<>> unique;
    std::set<std::string, std::less<>> ambiguous;
    const std::vector<std::string_view> wanted(names.begin(), names.end());
    for (const ElfSymbol& symbol : module.find_symbols(wanted))
        if (!unique.emplace(symbol.name, symbol.vaddr).second) ambiguous.insert(symbol.name);
    // Static variables may share a name: better no value than the wrong one.
    for (const std::string& name : ambiguous) unique.erase(name);
    return unique;
}

std::vector<UsdtProbe> read_matching(const ElfModule& module, std::string_view provider,
                                     std::string_view name) {
    std::vector<UsdtProbe> probes;
    const ElfSection* base = module.find_section(".stapsdt.base");
    for (const ElfNote& note : module.notes(".note.stapsdt")) {
        auto probe = parse_note(module, note, base == nullptr ? 0 : base->vaddr);
        if (probe && matches(*probe, provider, name)) probes.push_back(std::move(*probe));
    }
    const auto symbols = find_operand_symbols(module, probes);
    for (UsdtProbe& probe : probes) {
        UsdtContext context{probe.vaddr, module.fixed_address(), {}, module.machine()};
        context.find_symbol = [&](std::string_view wanted) -> std::optional<std::uint64_t> {
            const auto found = symbols.find(wanted);
            if (found == symbols.end()) return std::nullopt;
            return found->second;
        };
        probe.arguments = parse_usdt_arguments(probe.arguments_text, context);
    }
    return probes;
}

}  // namespace

std::vector<UsdtProbe> read_usdt(const ElfModule& module) {
    return read_matching(module, {}, {});
}

Result<std::vector<UsdtProbe>> find_usdt(pid_t pid, std::string_view provider,
                                         std::string_view name) {
    auto modules = find_target_modules(pid);
    if (!modules) return modules.error();
    std::vector<UsdtProbe> probes;
    for (const TargetModule& target : modules->modules) {
        const auto file = target.open();
        const auto module = file ? ElfModule::open((*file)->path()) : file.error();
        if (!module) continue;
        for (UsdtProbe& probe : read_matching(*module, provider, name)) {
            probe.module = target.path;
            probe.file = *file;
            probes.push_back(std::move(probe));
        }
    }
    return probes;
}

}  // namespace asrtrace::capture
