// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "tools/asrtrace/census.h"
#include "user/base/escape.h"

namespace asrtrace {
namespace {

constexpr std::size_t kMaxArenas = 12;
constexpr std::size_t kMaxClasses = 8;
constexpr std::size_t kMaxLeaks = 10;
constexpr std::size_t kMaxHolders = 8;

std::string amount(std::uint64_t bytes) {
    constexpr std::array<const char*, 4> kUnits{"B", "KiB", "MiB", "GiB"};
    double value = static_cast<double>(bytes);
    std::size_t unit = 0;
    while (value >= 1024 && unit + 1 < kUnits.size()) value /= 1024, ++unit;
    return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

void row(std::string& out, const char* name, std::uint64_t bytes, const std::string& what) {
    fmt::format_to(std::back_inserter(out), "  {:<14}{:>11}{:>16}  {}\n", name, amount(bytes),
                   bytes, what);
}

void add_totals(std::string& out, const heap::Census& census) {
    const heap::CensusTotals& t = census.totals;
    row(out, "in use", t.in_use, "as mallinfo2 counts it (uordblks + hblkhd)");
    row(out, "  live", t.live, fmt::format("not freed by the program, {} chunks", t.live_chunks));
    row(out, "  tcache", t.tcache, "freed, kept by threads");
    row(out, "free", t.free, "freed, kept by arenas (fordblks)");
    row(out, "  fastbin", t.fastbin, fmt::format("{} chunks", t.fastbin_chunks));
    row(out, "  top", t.top, "never used or returned, at the ends of the arenas");
    row(out, "mmapped", t.mmapped_bytes,
        fmt::format("part of in use, {} chunks", t.mmapped_chunks));
    row(out, "system", t.system, "of all arenas, without mmapped");
    out += "resident\n";
    row(out, "live", census.books.live, "");
    row(out, "retained", census.books.retained, "free, tcache, fastbin and top bytes in memory");
    row(out, "  releasable", t.releasable, "malloc_trim(0) would give this back");
    row(out, "overhead", census.books.overhead, "headers");
}

std::string pin_text(const heap::Pin& pin) {
    if (pin.address == 0) return "-";
    return fmt::format("{} at {:#x}{}", amount(pin.bytes), pin.address,
                       pin.in_tcache ? " (tcache)" : "");
}

void add_arenas(std::string& out, const heap::Census& census) {
    std::vector<const heap::ArenaFigures*> arenas;
    for (const heap::ArenaFigures& arena : census.arenas) arenas.push_back(&arena);
    std::stable_sort(arenas.begin(), arenas.end(),
                     [](auto* a, auto* b) { return a->resident_free > b->resident_free; });
    fmt::format_to(std::back_inserter(out),
                   "arenas ({})\n  {:<16}{:>5}{:>11}{:>11}{:>11}{:>12}  {}\n", arenas.size(), "id",
                   "heaps", "size", "in use", "retained", "releasable", "pin");
    for (std::size_t i = 0; i < arenas.size() && i < kMaxArenas; ++i) {
        const heap::ArenaFigures& arena = *arenas[i];
        fmt::format_to(std::back_inserter(out), "  {:<16}{:>5}{:>11}{:>11}{:>11}{:>12}  {}\n",
                       &arena == &census.arenas[0] ? "main" : fmt::format("{:#x}", arena.id),
                       arena.heaps.size(), amount(arena.size), amount(arena.in_use),
                       amount(arena.resident_free), amount(arena.releasable), pin_text(arena.pin));
    }
    if (arenas.size() > kMaxArenas) {
        fmt::format_to(std::back_inserter(out), "  and {} more\n", arenas.size() - kMaxArenas);
    }
}

void add_classes(std::string& out, const heap::Census& census) {
    std::vector<heap::SizeClass> classes = census.classes;
    std::stable_sort(classes.begin(), classes.end(),
                     [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
    if (classes.size() > kMaxClasses) classes.resize(kMaxClasses);
    out += "live chunks, the sizes with most bytes\n";
    for (const heap::SizeClass& sums : classes) {
        fmt::format_to(std::back_inserter(out), "  up to {:>11}{:>14} chunks{:>14}\n",
                       amount(sums.upper), sums.chunks, amount(sums.bytes));
    }
}

void add_reach(std::string& out, const heap::Reach& reach) {
    fmt::format_to(std::back_inserter(out), "unreachable: {} in {} chunks ({})\n",
                   amount(reach.unreachable_bytes), reach.unreachable_chunks,
                   reach.snapshots == 1 ? std::string("one reading, stopped")
                                        : fmt::format("in each of {} readings", reach.snapshots));
    std::vector<heap::Leaked> leaked = reach.leaked;
    std::stable_sort(leaked.begin(), leaked.end(),
                     [](const auto& a, const auto& b) { return a.bytes > b.bytes; });
    for (std::size_t i = 0; i < leaked.size() && i < kMaxLeaks; ++i) {
        fmt::format_to(std::back_inserter(out), "  {:>11} at {:#x}\n", amount(leaked[i].bytes),
                       leaked[i].address);
    }
    if (leaked.size() > kMaxLeaks) {
        fmt::format_to(std::back_inserter(out), "  and {} more\n", leaked.size() - kMaxLeaks);
    }
    fmt::format_to(std::back_inserter(out),
                   "weak: {} in {} chunks, pointed to only by words that may be stale; of these\n"
                   "      {} in {} chunks of sizes that leak\n",
                   amount(reach.weak_bytes), reach.weak_chunks, amount(reach.likely_bytes),
                   reach.likely_chunks);
    out += "held by\n";
    for (std::size_t i = 0; i < reach.holders.size() && i < kMaxHolders; ++i) {
        const heap::Holder& holder = reach.holders[i];
        fmt::format_to(std::back_inserter(out), "  {:>11} {:>9} chunks  {}\n", amount(holder.bytes),
                       holder.chunks, escape_terminal(holder.root, 60));
    }
}

}  // namespace

std::string census_text(pid_t pid, const heap::Census& census) {
    std::string out = fmt::format("heap of process {}: {}, {} threads, {}\n", pid, census.layout,
                                  census.threads, escape_terminal(census.libc, 50));
    const std::string reading =
        census.exact
            ? fmt::format("exact; the target stood still for {:.1f} ms", census.totals.pause_ms)
            : std::string("the target ran on; --stop makes it exact");
    fmt::format_to(std::back_inserter(out), "read in {:.2f} s, {} readings rejected; {}\n",
                   census.seconds, census.rejected, reading);
    if (census.rejected > 0) {
        out += "last rejected because: " + escape_terminal(census.last_rejection, 76) + "\n";
    }
    if (!census.note.empty()) out += "note: " + escape_terminal(census.note, 94) + "\n";
    add_totals(out, census);
    add_arenas(out, census);
    add_classes(out, census);
    if (census.reach) add_reach(out, *census.reach);
    return out;
}

}  // namespace asrtrace
