// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// unwind-record --pid P [--faults] [--samples N] [--jit] -o PREFIX
// Takes stacks of a process and writes PREFIX-1.stack ... (tests/bpf_host/recording.h). Each is
// walked once more by the host-compiled walker on the stopped process: a difference is an error.
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <set>

#include "tests/bpf_host/recording.h"
#include "tests/live/unwind/sampler.h"

namespace asrtrace::unwind {
namespace {

struct Options {
    pid_t pid = 0;
    std::uint32_t sources = SAMPLE_TICK;
    int samples = 1;
    bool jit = false;
    std::string prefix;
};

/// The stopped process as the host-compiled walker sees it; remembers what was read.
struct LiveTarget {
    const Sampler* sampler;
    UniqueFd memory;
    Recording recording;

    static int read_user(void* self, void* to, __u32 bytes, __u64 address) {
        auto* target = static_cast<LiveTarget*>(self);
        const ssize_t got = ::pread(target->memory.get(), to, bytes, static_cast<off_t>(address));
        if (got != static_cast<ssize_t>(bytes)) return -1;
        for (__u32 i = 0; i < bytes; ++i) {
            target->recording.memory[address + i] = static_cast<std::uint8_t*>(to)[i];
        }
        return 0;
    }
    static void* chunk(void* self, __u32 bank, __u32 slot) {
        return static_cast<LiveTarget*>(self)->sampler->chunk(bank, slot);
    }
};

/// A 4-byte word or 8-byte cell of the space by its number.
__u64 cell(const Sampler& sampler, std::uint64_t number) {
    const std::uint64_t chunk = number / UNWIND_CHUNK_CELLS;
    const auto* data =
        static_cast<const __u64*>(sampler.chunk(static_cast<__u32>(chunk / UNWIND_BANK_CHUNKS),
                                                static_cast<__u32>(chunk % UNWIND_BANK_CHUNKS)));
    return data[number % UNWIND_CHUNK_CELLS];
}

/// Rows of the 256-byte page of text that holds `pc`, and an end behind them.
void record_page(const Sampler& sampler, const unwind_mapping& mapping, RecordedMapping& out,
                 std::uint64_t pc, std::set<std::uint64_t>& pages) {
    const std::uint64_t shift = out.begin - mapping.bias;  // offset of the mapping into the text
    const std::uint64_t page = (pc - mapping.bias) >> UNWIND_PAGE_SHIFT;
    if (!pages.insert(page).second) return;
    const std::uint64_t word_at = mapping.index_word + page;
    const auto word = static_cast<__u32>(cell(sampler, word_at / 2) >> (word_at % 2 * 32));
    const std::uint64_t page_begin = std::max(page << UNWIND_PAGE_SHIFT, shift) - shift;
    for (__u32 i = 0; i < (word & 0xff); ++i) {
        const __u64 raw = cell(sampler, mapping.rows_cell + (word >> 8) + i);
        unwind_row row{};
        std::memcpy(&row, &raw, sizeof(row));
        // The first row may have begun on an earlier page.
        row.pc = static_cast<__u32>(std::max<std::uint64_t>(row.pc, page_begin + shift) - shift);
        out.rows.push_back(row);
    }
    const auto end = static_cast<__u32>(((page + 1) << UNWIND_PAGE_SHIFT) - shift);
    if (!pages.contains(page + 1)) out.rows.push_back({end, UNWIND_CFA_NONE, 0, 0});
}

void record_mappings(const Sampler& sampler, Recording& recording) {
    const __u32 chunk = sampler.process().space_chunk;
    const auto* space = static_cast<const unwind_space*>(
        sampler.chunk(chunk / UNWIND_BANK_CHUNKS, chunk % UNWIND_BANK_CHUNKS));
    for (int i = 0; i < UNWIND_MAX_MAPPINGS && space->begin[i] != UNWIND_NO_MAPPING; ++i) {
        const unwind_mapping& mapping = space->mapping[i];
        RecordedMapping out{space->begin[i],
                            std::uint64_t{mapping.pages} << 12,
                            static_cast<unwind_mapping_kind>(mapping.kind),
                            {}};
        std::set<std::uint64_t> pages;
        bool used = false;
        for (const std::uint64_t pc : recording.pcs) {
            for (const std::uint64_t at : {pc - 1, pc}) {
                if (at < out.begin || at - out.begin >= out.bytes) continue;
                used = true;
                if (mapping.kind == UNWIND_MAPPING_TABLE) {
                    record_page(sampler, mapping, out, at, pages);
                }
            }
        }
        std::stable_sort(
            out.rows.begin(), out.rows.end(), [](const unwind_row& a, const unwind_row& b) {
                // A page's end yields to the next page's first row.
                return a.pc != b.pc ? a.pc < b.pc : a.rule == UNWIND_CFA_NONE && b.rule != a.rule;
            });
        if (used) recording.mappings.push_back(std::move(out));
    }
}

/// Walks again on the host and fills in the recording; false if the two walkers disagree.
bool record(const Sampler& sampler, const unwind_sample& sample, pid_t pid, Recording& out) {
    LiveTarget target{
        &sampler,
        UniqueFd(::open(("/proc/" + std::to_string(pid) + "/mem").c_str(), O_RDONLY | O_CLOEXEC)),
        {}};
    host_walk walk{};
    walk.ip = target.recording.ip = sample.ip;
    walk.sp = target.recording.sp = sample.sp;
    walk.fp = target.recording.fp = sample.fp;
    for (std::size_t i = 0; i < 16; ++i) walk.regs[i] = target.recording.regs[i] = sample.regs[i];
    walk.self = &target;
    walk.read_user = &LiveTarget::read_user;
    walk.chunk = &LiveTarget::chunk;
    const unwind_process process = sampler.process();
    walk.process = &process;
    host_run(&walk);
    const stack_record& kernel = sample.stack;
    target.recording.flags = kernel.flags;
    target.recording.reason = kernel.reason;
    target.recording.pcs.assign(kernel.pcs, kernel.pcs + kernel.depth);
    record_mappings(sampler, target.recording);
    out = std::move(target.recording);
    return walk.stack.depth == kernel.depth && walk.stack.flags == kernel.flags &&
           std::equal(kernel.pcs, kernel.pcs + kernel.depth, walk.stack.pcs);
}

int run(const Options& options) {
    auto sampler = Sampler::open(options.pid, options.sources, true);
    if (!sampler) {
        std::fprintf(stderr, "unwind-record: %s\n", sampler.error().message.c_str());
        return 2;
    }
    int differences = 0;
    int written = 0;
    for (int tries = 0; written < options.samples && tries < 50 * options.samples; ++tries) {
        const auto sample = (*sampler)->next(static_cast<std::uint32_t>(tries % 7), 3000);
        if (!sample) break;
        ::usleep(5000);
        const auto changed = (*sampler)->refresh();
        Recording recording;
        const bool same =
            !changed || *changed || record(**sampler, *sample, options.pid, recording);
        (*sampler)->resume();
        if (!changed || *changed) continue;
        if (!same) {
            ++differences;
            std::fprintf(stderr, "unwind-record: host and kernel disagree\n");
        }
        if (options.jit && (recording.flags & UNWIND_HEURISTIC) == 0) continue;
        const std::string name = options.prefix + "-" + std::to_string(++written) + ".stack";
        std::ofstream(name) << format_recording(recording);
        std::printf("%s: %zu frames, flags %x\n", name.c_str(), recording.pcs.size(),
                    recording.flags);
    }
    return differences > 0 ? 1 : 0;
}

bool parse(int argc, char** argv, Options& options) {
    for (int i = 1; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--faults") options.sources = SAMPLE_FAULT;
        if (word == "--jit") options.jit = true;
        if (word == "--faults" || word == "--jit") continue;
        if (++i == argc) return false;
        if (word == "--pid") options.pid = std::atoi(argv[i]);
        if (word == "--samples") options.samples = std::atoi(argv[i]);
        if (word == "-o") options.prefix = argv[i];
    }
    return options.pid > 0 && !options.prefix.empty();
}

}  // namespace
}  // namespace asrtrace::unwind

int main(int argc, char** argv) {
    asrtrace::unwind::Options options;
    if (!asrtrace::unwind::parse(argc, argv, options)) {
        std::fprintf(stderr, "usage: %s --pid P [--faults] [--samples N] [--jit] -o PREFIX\n",
                     argv[0]);
        return 2;
    }
    return asrtrace::unwind::run(options);
}
