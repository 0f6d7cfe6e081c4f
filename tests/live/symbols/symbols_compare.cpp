// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// symbols-compare --pid P [--samples N] [--seed S] MODULE...
// Names N addresses of each mapped file whose name begins with MODULE, drawn at random from its
// executable sections, by user/symbols, by addr2line -i -f -C and by BCC's symbol cache. Prints one
// table: how many agree, and the rest by cause. Exit 1 if a difference has no cause that the file's
// own symbols confirm.
//
// Equal to addr2line: the same functions from the innermost inlined one to the outermost, as
// tests/unit/symbols_oracle.h compares names. Equal to BCC, which knows no inlining: our outermost
// function is its function, symbol versions (@GLIBC_2.2.5) aside.
#include <bcc/bcc_syms.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <random>

#include "tests/live/symbols/elf_names.h"
#include "tests/unit/symbols_oracle.h"

namespace asrtrace::symbols {
namespace {

using testing::OracleStack;
using testing::same_function;

constexpr const char* kUnexplained = "unexplained";

struct Options {
    pid_t pid = 0;
    std::size_t samples = 2000;
    std::uint64_t seed = 1;
    std::vector<std::string> modules;
};

/// Against one of the two others.
struct Tally {
    int same = 0;
    int same_named = 0;                 ///< of these, where there is a name at all
    std::map<std::string, int> causes;  ///< the differences
    int unexplained = 0;

    /// `cause` empty: no difference.
    void add(const std::string& cause, bool named) {
        same += cause.empty() ? 1 : 0;
        same_named += cause.empty() && named ? 1 : 0;
        unexplained += cause == kUnexplained ? 1 : 0;
        if (!cause.empty()) ++causes[cause];
    }
};

class BccCache {
  public:
    explicit BccCache(pid_t pid) {
        bcc_symbol_option option{1, 1, 1, (1U << 2U) | (1U << 10U)};  // STT_FUNC, STT_GNU_IFUNC
        cache_ = bcc_symcache_new(pid, &option);
        pid_ = pid;
    }
    ~BccCache() { bcc_free_symcache(cache_, pid_); }
    BccCache(const BccCache&) = delete;
    BccCache& operator=(const BccCache&) = delete;

    /// Without a symbol version; empty if it does not know.
    std::string name(std::uint64_t pc) {
        bcc_symbol symbol{};
        if (bcc_symcache_resolve(cache_, pc, &symbol) != 0) return {};
        const std::string name = symbol.demangle_name != nullptr ? symbol.demangle_name : "";
        bcc_symbol_free_demangle_name(&symbol);
        return name.substr(0, name.find('@'));
    }

  private:
    void* cache_ = nullptr;
    pid_t pid_ = 0;
};

/// Both symbol tables give the two names to one address.
bool same_or_alias(const std::string& ours, const std::string& theirs, const ElfNames& names) {
    return same_function(ours, theirs) || names.are_aliases(ours, theirs);
}

bool same_up_to_aliases(const std::vector<SourceFrame>& ours, const OracleStack& theirs,
                        const ElfNames& names) {
    if (ours.size() != theirs.size()) return false;
    for (std::size_t i = 0; i < ours.size(); ++i) {
        if (!same_or_alias(ours[i].function, theirs[i].function, names)) return false;
    }
    return true;
}

std::string cause_against_addr2line(std::uint64_t vaddr, const std::vector<SourceFrame>& ours,
                                    const OracleStack& theirs, const ElfNames& names) {
    if (testing::same_functions(ours, theirs)) return "";
    if (same_up_to_aliases(ours, theirs, names)) return "another name for the same address";
    const std::string& name = ours.back().function;
    if (name.empty() && names.is_behind(vaddr, theirs.back().function)) {
        return "between functions: addr2line gives the one before, we none";
    }
    return kUnexplained;
}

std::string cause_against_bcc(std::uint64_t vaddr, const std::vector<SourceFrame>& ours,
                              const std::string& theirs, const ElfNames& names) {
    const std::string& name = ours.back().function;
    if (same_function(name, theirs)) return "";
    if (names.are_aliases(name, theirs)) return "another name for the same address";
    if (theirs.empty() && names.is_behind(vaddr, name)) {
        return "behind a label without a size: BCC gives none";
    }
    // A second copy of an inline function, left where the same was compiled in two ways.
    if (theirs.empty() && !names.covered(vaddr)) {
        return "no symbol covers it: DWARF and addr2line name it, BCC does not";
    }
    return kUnexplained;
}

std::vector<std::uint64_t> draw(const ElfNames& names, const Options& options) {
    std::mt19937_64 random(options.seed);
    std::uint64_t total = 0;
    for (const CodeSection& section : names.code()) total += section.bytes;
    std::vector<std::uint64_t> addresses;
    while (addresses.size() < options.samples) {
        std::uint64_t at = random() % total;
        for (const CodeSection& section : names.code()) {
            if (at < section.bytes) {
                addresses.push_back(section.vaddr + at);
                break;
            }
            at -= section.bytes;
        }
    }
    return addresses;
}

/// Where a byte of the file's code is mapped; 0: not mapped.
std::uint64_t runtime_address(std::uint64_t vaddr, const ElfNames& names,
                              const std::vector<MapsEntry>& maps, const std::string& path) {
    for (const CodeSection& section : names.code()) {
        if (vaddr - section.vaddr >= section.bytes) continue;
        const std::uint64_t offset = vaddr - section.vaddr + section.file_offset;
        for (const MapsEntry& entry : maps) {
            if (entry.path == path && entry.executable &&
                offset - entry.file_offset < entry.size_bytes()) {
                return entry.begin + (offset - entry.file_offset);
            }
        }
    }
    return 0;
}

void show(std::uint64_t vaddr, const std::vector<SourceFrame>& ours, const OracleStack& theirs,
          const std::string& bcc) {
    std::printf("-- %#llx\n", static_cast<unsigned long long>(vaddr));
    for (const SourceFrame& frame : ours) std::printf("   ours      %s\n", frame.function.c_str());
    for (const auto& frame : theirs) std::printf("   addr2line %s\n", frame.function.c_str());
    std::printf("   bcc       %s\n", bcc.c_str());
}

void print(const char* oracle, const std::string& module, std::size_t total, const Tally& tally) {
    std::printf("%-20s %-10s %6d of %6zu agree, %6d of them named\n", module.c_str(), oracle,
                tally.same, total, tally.same_named);
    for (const auto& [cause, count] : tally.causes) {
        std::printf("%-20s %-10s %6d %s\n", "", "", count, cause.c_str());
    }
}

int compare_module(const std::string& path, const std::vector<MapsEntry>& maps,
                   const Options& options, Symbolizer& symbolizer, BccCache& bcc) {
    const ElfNames names(path);
    const auto addresses = draw(names, options);
    const auto theirs = testing::ask_addr2line(path, addresses);
    if (theirs.size() != addresses.size()) {
        std::printf("%s: addr2line failed\n", path.c_str());
        return 1;
    }
    Tally addr2line_tally;
    Tally bcc_tally;
    for (std::size_t i = 0; i < addresses.size(); ++i) {
        const std::uint64_t pc = runtime_address(addresses[i], names, maps, path);
        const auto& ours = symbolizer.lookup(1, pc, false);
        const bool named = !ours.back().function.empty();
        const std::string bcc_name = bcc.name(pc);
        const auto first = cause_against_addr2line(addresses[i], ours, theirs[i], names);
        const auto second = cause_against_bcc(addresses[i], ours, bcc_name, names);
        addr2line_tally.add(first, named);
        bcc_tally.add(second, named);
        if (first == kUnexplained || second == kUnexplained) {
            show(addresses[i], ours, theirs[i], bcc_name);
        }
    }
    const std::string module = path.substr(path.rfind('/') + 1);
    print("addr2line", module, addresses.size(), addr2line_tally);
    print("BCC", module, addresses.size(), bcc_tally);
    return addr2line_tally.unexplained + bcc_tally.unexplained;
}

int run(const Options& options) {
    const auto maps = read_maps(options.pid);
    if (!maps) {
        std::fprintf(stderr, "symbols-compare: %s\n", maps.error().message.c_str());
        return 2;
    }
    Symbolizer symbolizer(options.pid);
    symbolizer.add_mappings(1, *maps);
    BccCache bcc(options.pid);
    int unexplained = 0;
    for (const std::string& wanted : options.modules) {
        std::string path;
        for (const MapsEntry& entry : *maps) {
            const std::string base = entry.path.substr(entry.path.rfind('/') + 1);
            if (entry.executable && entry.is_file() && base.starts_with(wanted)) path = entry.path;
        }
        if (path.empty()) {
            std::fprintf(stderr, "symbols-compare: %s is not mapped\n", wanted.c_str());
            return 2;
        }
        unexplained += compare_module(path, *maps, options, symbolizer, bcc);
    }
    return unexplained > 0 ? 1 : 0;
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--pid" && i + 1 < argc) {
            options.pid = std::atoi(argv[++i]);
        } else if (word == "--samples" && i + 1 < argc) {
            options.samples = std::strtoull(argv[++i], nullptr, 10);
        } else if (word == "--seed" && i + 1 < argc) {
            options.seed = std::strtoull(argv[++i], nullptr, 10);
        } else {
            options.modules.push_back(word);
        }
    }
    return options.pid > 0 && !options.modules.empty();
}

}  // namespace
}  // namespace asrtrace::symbols

int main(int argc, char** argv) {
    asrtrace::symbols::Options options;
    if (!asrtrace::symbols::parse(argc, argv, options)) {
        std::fprintf(stderr, "usage: %s --pid P [--samples N] [--seed S] MODULE...\n", argv[0]);
        return 2;
    }
    return asrtrace::symbols::run(options);
}
