// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// unwind-bench: what stacks cost. Time per stack beside bpf_get_stackid (frame pointers) and a copy
// of 4 KiB of stack (what perf's --call-graph dwarf does first); rows per second; memory per
// library; cold and warm attach to a process that maps the 100 largest libraries of this machine.
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "unwind_bench.skel.h"
#include "user/capture/unwind_banks.h"
#include "user/unwind/target_tables.h"

namespace asrtrace::unwind {
namespace {

constexpr int kTurns = 64;  // TURNS of unwind_bench.bpf.c
constexpr const char* kLibraries = "/usr/lib/x86_64-linux-gnu";

/// CPU time: the machine may be busy with others.
double cpu_seconds() {
    timespec now{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

/// Best of many runs of a program in the context of this thread, in ns a stack.
double time_program(const bpf_program* program, const unwind_bench* skeleton) {
    double best = 1e18;
    for (int i = 0; i < 200; ++i) {
        LIBBPF_OPTS(bpf_test_run_opts, options);
        if (bpf_prog_test_run_opts(bpf_program__fd(program), &options) != 0) return -1;
        best = std::min(best, static_cast<double>(skeleton->bss->elapsed_ns) / kTurns);
    }
    return best;
}

void time_stacks(unwind_bench* skeleton) {
    const double walk = time_program(skeleton->progs.time_walk, skeleton);
    const unsigned frames = skeleton->bss->frames;
    const unsigned flags = skeleton->bss->flags;
    const double stackid = time_program(skeleton->progs.time_stackid, skeleton);
    time_program(skeleton->progs.count_frames, skeleton);
    const unsigned kernel_frames = skeleton->bss->frames;
    const double copy = time_program(skeleton->progs.time_copy, skeleton);
    std::printf(
        "%6u frames (kernel %3u)  walker %6.0f ns  bpf_get_stackid %6.0f ns  ratio %.2f  "
        "4 KiB copied %4.0f ns%s\n",
        frames, kernel_frames, walk, stackid, walk / stackid, copy,
        (flags & UNWIND_TRUNCATED) != 0 ? "  TRUNCATED" : "");
}

/// Frames of the size that C++ has, then the measurement. Not a tail call.
[[gnu::noinline]] int descend(int depth, unwind_bench* skeleton) {
    volatile char locals[64];
    locals[0] = static_cast<char>(depth);
    if (depth == 0) {
        time_stacks(skeleton);
    } else {
        descend(depth - 1, skeleton);
    }
    return locals[0];
}

std::vector<std::filesystem::path> largest_libraries(std::size_t count) {
    std::vector<std::pair<std::uintmax_t, std::filesystem::path>> found;
    for (const auto& entry : std::filesystem::directory_iterator(kLibraries)) {
        if (!entry.is_regular_file() || entry.is_symlink()) continue;
        if (entry.path().filename().string().find(".so") == std::string::npos) continue;
        found.emplace_back(entry.file_size(), entry.path());
    }
    std::sort(found.rbegin(), found.rend());
    std::vector<std::filesystem::path> paths;
    for (const auto& [size, path] : found) {
        if (paths.size() < count) paths.push_back(path);
    }
    return paths;
}

Result<ElfFile> open_elf(const std::filesystem::path& path) {
    UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd.valid()) return errno_error(path);
    return ElfFile::open(std::move(fd));
}

/// Maps the executable segments as the loader would; the code is never run.
int map_libraries(const std::vector<std::filesystem::path>& paths) {
    int mapped = 0;
    for (const auto& path : paths) {
        const auto file = open_elf(path);
        if (!file) continue;
        const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        for (const LoadSegment& segment : file->segments()) {
            if (!segment.executable) continue;
            const std::uint64_t slack = segment.address % 4096;
            void* memory =
                ::mmap(nullptr, segment.file_bytes + slack, PROT_READ | PROT_EXEC, MAP_PRIVATE,
                       fd.get(), static_cast<off_t>(segment.file_offset - slack));
            mapped += memory != MAP_FAILED ? 1 : 0;
        }
    }
    return mapped;
}

void time_building(const std::vector<std::filesystem::path>& paths) {
    double seconds = 0;
    std::uint64_t rows = 0;
    std::uint64_t bytes = 0;
    for (const auto& path : paths) {
        const auto file = open_elf(path);
        if (!file) continue;
        const auto source = read_cfi(*file);
        if (!source) continue;
        const double begin = cpu_seconds();
        const auto table = build_table(*source);
        seconds += cpu_seconds() - begin;
        if (!table) continue;
        rows += table->rows.size();
        bytes += table->size_bytes();
    }
    std::printf(
        "building, one thread: %.1f M rows (%.0f MB) of %zu libraries in %.2f s of CPU: %.1f M "
        "rows/s\n",
        static_cast<double>(rows) / 1e6, static_cast<double>(bytes) / 1e6, paths.size(), seconds,
        static_cast<double>(rows) / 1e6 / seconds);
}

void print_memory() {
    for (const char* name : {"libc.so.6", "libstdc++.so.6", "libdnnl.so.2", "libpython3.11.so.1.0",
                             "libtorch_cpu.so", "libcrypto.so.3"}) {
        const auto file = open_elf(std::filesystem::path(kLibraries) / name);
        if (!file) continue;
        const auto table = build_table(*file);
        if (!table) continue;
        std::printf("  %-22s %8zu rows %7.2f MB (index %.2f)\n", name, table->rows.size(),
                    static_cast<double>(table->size_bytes()) / 1e6,
                    static_cast<double>(table->index.size()) * 4 / 1e6);
    }
}

void time_attach(const char* name, const std::vector<MapsEntry>& maps, const TableCache* cache) {
    const auto begin = std::chrono::steady_clock::now();
    const double cpu_begin = cpu_seconds();
    capture::BpfBanks banks;
    TargetTables tables(banks, cache);
    const auto update = tables.update(::getpid(), maps);
    const double seconds = seconds_since(begin);
    const double cpu = cpu_seconds() - cpu_begin;
    if (!update) {
        std::printf("%s: %s\n", name, update.error().message.c_str());
        return;
    }
    std::printf(
        "attach, %-8s %4u modules, %3u built, %3u cached: %.3f s (CPU %.3f s), %.0f MB used, %.0f "
        "MB reserved\n",
        name, update->modules, update->tables_built, update->tables_cached, seconds, cpu,
        static_cast<double>(tables.used_bytes()) / 1e6,
        static_cast<double>(tables.reserved_bytes()) / 1e6);
}

void time_attaches(const std::vector<std::filesystem::path>& paths) {
    std::string directory = "/tmp/unwind-bench-XXXXXX";
    if (::mkdtemp(directory.data()) == nullptr) return;
    const auto cache = TableCache::open(directory + "/cache");
    map_libraries(paths);
    const auto maps = read_maps(::getpid());
    if (cache && maps) {
        time_attach("no cache", *maps, nullptr);
        time_attach("cold", *maps, &*cache);
        time_attach("warm", *maps, &*cache);
    }
    std::filesystem::remove_all(directory);
}

int run() {
    unwind_bench* skeleton = unwind_bench__open_and_load();
    if (skeleton == nullptr) return std::perror("unwind-bench: BPF"), 2;
    capture::BpfBanks banks(bpf_map__fd(skeleton->maps.unwind_banks));
    TargetTables tables(banks, nullptr);
    const auto maps = read_maps(::getpid());
    if (!maps) return 2;
    const auto update = tables.update(::getpid(), *maps);
    if (!update) return 2;
    const auto key = static_cast<__u32>(::getpid());
    bpf_map_update_elem(bpf_map__fd(skeleton->maps.unwind_processes), &key, &update->record,
                        BPF_ANY);
    for (const int depth : {4, 24, 54, 104}) descend(depth, skeleton);
    unwind_bench__destroy(skeleton);
    const auto paths = largest_libraries(100);
    time_building(paths);
    print_memory();
    time_attaches(paths);
    return 0;
}

}  // namespace
}  // namespace asrtrace::unwind

int main() {
    return asrtrace::unwind::run();
}
