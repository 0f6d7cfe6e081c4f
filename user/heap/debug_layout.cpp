// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/debug_layout.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <gelf.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "user/base/fd.h"
#include "user/heap/libraries.h"

namespace asrtrace::heap {
namespace {

struct ElfEnd {
    void operator()(Elf* elf) const { elf_end(elf); }
};
struct DwarfEnd {
    void operator()(Dwarf* dwarf) const { dwarf_end(dwarf); }
};

/// An ELF file, read and not mapped: who owns it may cut it off meanwhile.
struct ElfFile {
    UniqueFd fd;
    std::unique_ptr<Elf, ElfEnd> elf;

    explicit ElfFile(const std::string& path)
        : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)) {
        elf_version(EV_CURRENT);
        if (fd.valid()) elf.reset(elf_begin(fd.get(), ELF_C_READ, nullptr));
        if (elf && gelf_getclass(elf.get()) != ELFCLASS64) elf.reset();
    }
};

std::string rooted(pid_t pid, const std::string& path) {
    return "/proc/" + std::to_string(pid) + "/root" + path;
}

std::string build_id_of(Elf* elf) {
    const void* bytes = nullptr;
    const ssize_t count = dwelf_elf_gnu_build_id(elf, &bytes);
    std::string hex;
    for (ssize_t i = 0; i < count && count <= 64; ++i) {
        char two[3];
        std::snprintf(two, sizeof(two), "%02x", static_cast<const std::uint8_t*>(bytes)[i]);
        hex += two;
    }
    return hex;
}

/// Values of the wanted symbols, 0 where there is none.
std::map<std::string, std::uint64_t> symbols_of(Elf* elf, const std::vector<std::string>& wanted) {
    std::map<std::string, std::uint64_t> found;
    for (const auto& name : wanted) found[name] = 0;
    for (Elf_Scn* scn = elf_nextscn(elf, nullptr); scn != nullptr; scn = elf_nextscn(elf, scn)) {
        GElf_Shdr header;
        if (gelf_getshdr(scn, &header) == nullptr || header.sh_type != SHT_SYMTAB) continue;
        Elf_Data* data = elf_getdata(scn, nullptr);
        if (data == nullptr || header.sh_entsize == 0) continue;
        const auto count = static_cast<int>(header.sh_size / header.sh_entsize);
        for (int i = 0; i < count; ++i) {
            GElf_Sym symbol;
            if (gelf_getsym(data, i, &symbol) == nullptr || symbol.st_shndx == SHN_UNDEF) continue;
            const char* name = elf_strptr(elf, header.sh_link, symbol.st_name);
            if (name == nullptr) continue;
            const auto entry = found.find(name);
            if (entry != found.end() && entry->second == 0) entry->second = symbol.st_value;
        }
    }
    return found;
}

/// A structure's members by name: offset in bytes; and the length of those that are arrays.
struct Structure {
    std::uint64_t bytes = 0;
    std::map<std::string, std::uint32_t> offsets;
    std::map<std::string, std::uint32_t> lengths;

    bool has(const std::string& name) const { return offsets.contains(name); }
    /// 0 if there is no such member.
    std::uint32_t at(const std::string& name) const { return has(name) ? offsets.at(name) : 0; }
    std::uint32_t length(const std::string& name) const {
        return lengths.contains(name) ? lengths.at(name) : 0;
    }
};

std::optional<std::uint64_t> number(Dwarf_Die& die, unsigned name) {
    Dwarf_Attribute attribute;
    Dwarf_Word value = 0;
    if (dwarf_attr(&die, name, &attribute) == nullptr) return std::nullopt;
    if (dwarf_formudata(&attribute, &value) != 0) return std::nullopt;
    return value;
}

std::uint32_t array_length(Dwarf_Die& member) {
    Dwarf_Attribute attribute;
    Dwarf_Die type, range;
    if (dwarf_attr(&member, DW_AT_type, &attribute) == nullptr) return 0;
    if (dwarf_formref_die(&attribute, &type) == nullptr) return 0;
    if (dwarf_tag(&type) != DW_TAG_array_type || dwarf_child(&type, &range) != 0) return 0;
    if (const auto count = number(range, DW_AT_count)) return static_cast<std::uint32_t>(*count);
    const auto last = number(range, DW_AT_upper_bound);
    return last ? static_cast<std::uint32_t>(*last + 1) : 0;
}

Structure structure_of(Dwarf_Die& die) {
    Structure out;
    out.bytes = number(die, DW_AT_byte_size).value_or(0);
    Dwarf_Die member;
    for (int more = dwarf_child(&die, &member); more == 0;
         more = dwarf_siblingof(&member, &member)) {
        const char* name = dwarf_diename(&member);
        const auto offset = number(member, DW_AT_data_member_location);
        if (name == nullptr || !offset) continue;
        out.offsets[name] = static_cast<std::uint32_t>(*offset);
        if (const auto length = array_length(member)) out.lengths[name] = length;
    }
    return out;
}

/// The complete structures of the unit whose code stands at `address`.
std::map<std::string, Structure> structures_at(Dwarf* dwarf, std::uint64_t address) {
    std::map<std::string, Structure> found;
    Dwarf_Die unit, child;
    if (dwarf_addrdie(dwarf, address, &unit) == nullptr) return found;
    for (int more = dwarf_child(&unit, &child); more == 0; more = dwarf_siblingof(&child, &child)) {
        if (dwarf_tag(&child) != DW_TAG_structure_type) continue;
        const char* name = dwarf_diename(&child);
        if (name != nullptr && number(child, DW_AT_byte_size)) found[name] = structure_of(child);
    }
    return found;
}

std::optional<Layout> layout_of(std::map<std::string, Structure>& found) {
    const Structure& state = found["malloc_state"];
    const Structure& parameters = found["malloc_par"];
    // A tag up to 2.36's _heap_info, a typedef's name without one in some builds.
    const Structure& heap = found.contains("_heap_info") ? found["_heap_info"] : found["heap_info"];
    const Structure& tcache = found["tcache_perthread_struct"];
    if (state.bytes == 0 || parameters.bytes == 0 || heap.bytes == 0 || tcache.bytes == 0)
        return std::nullopt;
    const std::uint32_t bins = state.at("bins");
    const bool as_expected = state.length("bins") == 2 * kBins &&
                             state.at("next") == bins + kNextBehindBins &&
                             state.at("system_mem") == bins + kSystemMemBehindBins &&
                             state.bytes == bins + kStateEndBehindBins &&
                             parameters.at("mmap_threshold") == 16 && parameters.has("sbrk_base");
    if (!as_expected) return std::nullopt;
    Layout layout{};
    layout.name = "from its debug file";
    layout.has_fastbins = state.has("fastbinsY");
    layout.top = state.at("top");
    layout.bins = bins;
    layout.heap_info_size = static_cast<std::uint32_t>(heap.bytes);
    layout.thp_pagesize = parameters.at("thp_pagesize");
    layout.hp_pagesize = parameters.at("hp_pagesize");
    layout.n_mmaps = parameters.at("n_mmaps");
    layout.mmapped_mem = parameters.at("mmapped_mem");
    layout.sbrk_base = parameters.at("sbrk_base");
    layout.par_size = static_cast<std::uint32_t>(parameters.bytes);
    layout.tcache_bins = tcache.length("entries");
    layout.tcache_counts_down = tcache.has("num_slots");
    layout.protected_links = true;
    constexpr std::uint32_t kMostBytes = 4096;  // of what may stand in a damaged file
    const bool sensible = bins <= kMostBytes && layout.top < bins && heap.bytes <= kMostBytes &&
                          parameters.bytes <= kMostBytes && layout.tcache_bins <= kMostBytes &&
                          std::max({layout.thp_pagesize, layout.hp_pagesize, layout.n_mmaps,
                                    layout.mmapped_mem, layout.sbrk_base}) < parameters.bytes;
    if (!sensible || tcache.bytes != layout.tcache_bytes()) return std::nullopt;
    for (const Layout& known : layouts())
        if (same_places(known, layout)) layout.name = known.name;
    return layout;
}

}  // namespace

Result<DebugLayout> read_debug_layout(const std::string& debug_file) {
    const ElfFile file(debug_file);
    if (!file.elf) return Error{debug_file + ": no ELF file that can be read"};
    const auto symbols = symbols_of(file.elf.get(), {"main_arena", "mp_", "_int_malloc"});
    for (const auto& [name, value] : symbols)
        if (value == 0) return Error{std::string(debug_file).append(": no symbol ").append(name)};
    const std::unique_ptr<Dwarf, DwarfEnd> dwarf(
        dwarf_begin_elf(file.elf.get(), DWARF_C_READ, nullptr));
    if (!dwarf) return Error{debug_file + ": no DWARF"};
    auto structures = structures_at(dwarf.get(), symbols.at("_int_malloc"));
    const auto layout = layout_of(structures);
    if (!layout) return Error{debug_file + ": malloc's structures are not as they are known"};
    DebugLayout out;
    out.main_arena = symbols.at("main_arena");
    out.parameters = symbols.at("mp_");
    out.layouts.push_back(std::make_shared<Layout>(*layout));
    // Links are protected since 2.32, heap_info has its page size since 2.35 (malloc/arena.c).
    if (layout->thp_pagesize == 0) {
        Layout plain = *layout;
        plain.protected_links = false;
        out.layouts.push_back(std::make_shared<Layout>(plain));
    }
    return out;
}

std::optional<std::string> find_debug_file(pid_t pid, const std::string& module) {
    const std::string path = rooted(pid, module);
    const ElfFile file(path);
    if (!file.elf) return std::nullopt;
    if (symbols_of(file.elf.get(), {"main_arena"})["main_arena"] != 0) return path;
    const std::string id = build_id_of(file.elf.get());
    if (id.size() < 4) return std::nullopt;
    const std::string place =
        "/usr/lib/debug/.build-id/" + id.substr(0, 2) + "/" + id.substr(2) + ".debug";
    for (const std::string& candidate : {rooted(pid, place), place}) {
        const ElfFile debug(candidate);
        if (debug.elf && build_id_of(debug.elf.get()) == id) return candidate;
    }
    return std::nullopt;
}

std::optional<std::uint64_t> load_bias(pid_t pid, const std::vector<MapsEntry>& maps,
                                       const std::string& module) {
    const ElfFile file(rooted(pid, module));
    std::size_t count = 0;
    if (!file.elf || elf_getphdrnum(file.elf.get(), &count) != 0) return std::nullopt;
    for (const MapsEntry& entry : maps) {
        if (entry.path != module) continue;
        for (std::size_t i = 0; i < count; ++i) {
            GElf_Phdr header;
            if (gelf_getphdr(file.elf.get(), static_cast<int>(i), &header) == nullptr) break;
            const std::uint64_t in_page = header.p_offset % 4096;
            if (header.p_type != PT_LOAD || header.p_offset - in_page != entry.file_offset)
                continue;
            return entry.begin - (header.p_vaddr - in_page);
        }
    }
    return std::nullopt;
}

std::optional<DebugLayout> debug_layout_of(pid_t pid, const std::vector<MapsEntry>& maps) {
    const std::string module = scan_libraries(maps).malloc_module;
    if (module.empty()) return std::nullopt;
    const auto path = find_debug_file(pid, module);
    if (!path) return std::nullopt;
    auto layout = read_debug_layout(*path);
    const auto bias = load_bias(pid, maps, module);
    if (!layout || !bias) return std::nullopt;
    layout->main_arena += *bias;
    layout->parameters += *bias;
    return std::move(*layout);
}

}  // namespace asrtrace::heap
