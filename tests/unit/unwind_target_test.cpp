// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Tables of this very process while libraries and generated code come and go.
#include <dlfcn.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "tests/unit/sparse_elf.h"
#include "tests/unit/unwind_banks.h"
#include "user/unwind/memory_shares.h"
#include "user/unwind/target_tables.h"

namespace asrtrace::unwind {
namespace {

/// The name of a file that no other run of these tests writes to.
std::string file_of_ours(const std::string& what) {
    return testing::TempDir() + "unwind_target_test." + std::to_string(::getpid()) + "." + what;
}

/// A file whose call frame information is a hole of `bytes`, mapped executable.
class MappedHole {
  public:
    explicit MappedHole(std::uint64_t bytes) : path_(file_of_ours("hole")) {
        SparseElf elf(path_);
        Elf64_Shdr header{};
        header.sh_type = SHT_PROGBITS;
        header.sh_offset = kPage + elf.kText;
        header.sh_size = bytes;
        elf.section(".eh_frame", header);
        elf.finish(header.sh_offset + bytes);
        const UniqueFd file(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
        at_ = ::mmap(nullptr, kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE, file.get(),
                     static_cast<off_t>(elf.kText));
        EXPECT_NE(at_, MAP_FAILED);
    }
    MappedHole(const MappedHole&) = delete;
    MappedHole& operator=(const MappedHole&) = delete;
    ~MappedHole() {
        ::munmap(at_, kPage);
        std::filesystem::remove(path_);
    }

    std::string problem(const ProcessUpdate& update) const {
        for (const ModuleProblem& problem : update.problems)
            if (problem.path == path_) return problem.reason;
        return {};
    }

  private:
    static constexpr std::size_t kPage = 4096;
    std::string path_;
    void* at_;
};

class Target : public testing::Test {
  protected:
    ProcessUpdate update() {
        auto maps = read_maps(::getpid());
        EXPECT_TRUE(maps);
        auto result = tables_.update(::getpid(), *maps);
        EXPECT_TRUE(result) << result.error().message;
        return *result;
    }

    const unwind_space& space(const ProcessUpdate& update) const {
        const std::uint64_t at = std::uint64_t{update.record.space_chunk} * UNWIND_CHUNK_BYTES;
        const auto& bank = *banks_.banks[at / MemoryBanks::kBankBytes];
        return *reinterpret_cast<const unwind_space*>(bank.data() + at % MemoryBanks::kBankBytes);
    }

    /// As the walker finds it; null: in no mapping.
    const unwind_mapping* find(const ProcessUpdate& update, const void* address) const {
        return find_at(update, reinterpret_cast<std::uintptr_t>(address));
    }
    const unwind_mapping* find_at(const ProcessUpdate& update, std::uint64_t pc) const {
        const unwind_space& all = space(update);
        const auto* next = std::upper_bound(std::begin(all.begin), std::end(all.begin), pc);
        if (next == std::begin(all.begin)) return nullptr;
        const auto i = next - 1 - std::begin(all.begin);
        const unwind_mapping& mapping = all.mapping[i];
        return (pc - all.begin[i]) >> 12 < mapping.pages ? &mapping : nullptr;
    }

    __u64 cell(std::uint64_t at) const {
        __u64 value = 0;
        const auto& bank = *banks_.banks[at * 8 / MemoryBanks::kBankBytes];
        std::memcpy(&value, bank.data() + at * 8 % MemoryBanks::kBankBytes, 8);
        return value;
    }

    MemoryBanks banks_;
    TargetTables tables_{banks_, nullptr, 2};
};

TEST_F(Target, FindsTheTableOfAFunction) {
    const auto first = update();
    EXPECT_TRUE(first.changed);
    EXPECT_GE(first.modules, 4U);  // this program, libc, libstdc++, the loader ...
    const void* function = reinterpret_cast<const void*>(&std::strtol);
    const unwind_mapping* mapping = find(first, function);
    ASSERT_NE(mapping, nullptr);
    ASSERT_EQ(mapping->kind, static_cast<__u32>(UNWIND_MAPPING_TABLE));
    // The first instruction of any function: CFA = rsp + 8.
    const std::uint64_t offset = reinterpret_cast<std::uintptr_t>(function) - mapping->bias;
    const std::uint64_t word_at = mapping->index_word + (offset >> UNWIND_PAGE_SHIFT);
    const auto word = static_cast<__u32>(cell(word_at / 2) >> (word_at % 2 * 32));
    unwind_row row{};
    for (__u32 i = 0; i < (word & 0xff); ++i) {
        unwind_row candidate{};
        const __u64 raw = cell(mapping->rows_cell + (word >> 8) + i);
        std::memcpy(&candidate, &raw, sizeof(raw));
        if (candidate.pc <= offset) row = candidate;
    }
    EXPECT_EQ(row.rule, UNWIND_CFA_SP);
    EXPECT_EQ(row.cfa_offset, 1);
    EXPECT_EQ(first.record.generation, 1U);
}

TEST_F(Target, NothingChangesWhenNothingChanged) {
    const auto first = update();
    const auto second = update();
    EXPECT_FALSE(second.changed);
    EXPECT_EQ(second.tables_built, 0U);
    EXPECT_EQ(std::memcmp(&first.record, &second.record, sizeof(first.record)), 0);
}

TEST_F(Target, FollowsDlopenAndDlclose) {
    const auto before = update();
    void* library = ::dlopen("libcap.so.2", RTLD_NOW);
    if (library == nullptr) library = ::dlopen("libbz2.so.1.0", RTLD_NOW);
    if (library == nullptr) GTEST_SKIP() << "no library to load";
    void* function = ::dlsym(library, "cap_get_proc");
    if (function == nullptr) function = ::dlsym(library, "BZ2_bzlibVersion");
    const auto with = update();
    EXPECT_TRUE(with.changed);
    EXPECT_EQ(with.tables_built, 1U);
    EXPECT_EQ(with.record.generation, before.record.generation);
    EXPECT_NE(find(with, function), nullptr);
    const std::uint64_t used = tables_.used_bytes();
    ::dlclose(library);
    const auto after = update();
    EXPECT_TRUE(after.changed);
    EXPECT_GT(after.record.generation, with.record.generation);
    EXPECT_EQ(find(after, function), nullptr);
    update();  // what a walk might have been reading is freed one update later
    EXPECT_LT(tables_.used_bytes(), used);
}

/// A page of a file, mapped executable; null where that is forbidden there.
void* map_code(const std::string& path, void* where = nullptr, off_t offset = 0) {
    std::FILE* file = std::fopen(path.c_str(), "r");
    if (file == nullptr) return nullptr;
    void* code = ::mmap(where, 4096, PROT_READ | PROT_EXEC,
                        MAP_PRIVATE | (where != nullptr ? MAP_FIXED : 0), ::fileno(file), offset);
    std::fclose(file);
    return code != MAP_FAILED ? code : nullptr;
}

/// A child that does nothing until it is ended.
class Child {
  public:
    Child() : pid(::fork()) {
        if (pid != 0) return;
        for (;;) ::pause();
    }
    ~Child() {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    const pid_t pid;
};

TEST_F(Target, AForkedChildHasItsParentsGenerationUntilEitherMapsCode) {
    const auto parent = update();
    const Child one;
    const Child two;
    const auto first = tables_.update(one.pid, *read_maps(one.pid));
    const auto second = tables_.update(two.pid, *read_maps(two.pid));
    ASSERT_TRUE(first && second);
    EXPECT_TRUE(first->changed);
    EXPECT_EQ(first->tables_built, 0U) << "modules are shared";
    EXPECT_EQ(first->record.generation, parent.record.generation);
    EXPECT_EQ(second->record.generation, parent.record.generation);
    EXPECT_NE(first->record.space_chunk, parent.record.space_chunk) << "a mapping list each";

    void* code = ::mmap(nullptr, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(code, MAP_FAILED);
    const auto grown = update();
    EXPECT_NE(grown.record.generation, parent.record.generation);
    EXPECT_NE(find(grown, code), nullptr);
    const auto same = tables_.update(one.pid, *read_maps(one.pid));
    ASSERT_TRUE(same);
    EXPECT_FALSE(same->changed);
    EXPECT_EQ(same->record.generation, parent.record.generation);
    EXPECT_EQ(find(*same, code), nullptr);
    ::munmap(code, 8192);
}

TEST_F(Target, AProcessThatIsForgottenBeginsAnew) {
    const auto parent = update();
    const Child child;
    const auto before = tables_.update(child.pid, *read_maps(child.pid));
    const std::uint64_t used = tables_.used_bytes();
    tables_.forget(child.pid);
    update();
    EXPECT_LT(tables_.used_bytes(), used);
    // Another program under the same pid: nothing of it is known, no generation is used again.
    const std::vector<MapsEntry> maps = {read_maps(child.pid)->front()};
    const auto after = tables_.update(child.pid, maps);
    ASSERT_TRUE(before && after);
    EXPECT_TRUE(after->changed);
    EXPECT_GT(after->record.generation, before->record.generation);
    EXPECT_EQ(update().record.generation, parent.record.generation);
}

TEST_F(Target, TellsGeneratedCode) {
    void* code = ::mmap(nullptr, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(code, MAP_FAILED);
    const auto with = update();
    const unwind_mapping* mapping = find(with, code);
    ASSERT_NE(mapping, nullptr);
    EXPECT_EQ(mapping->kind, static_cast<__u32>(UNWIND_MAPPING_JIT));
    EXPECT_GE(with.jit_bytes, 8192U);
    ::munmap(code, 8192);
}

TEST_F(Target, HasTheVdso) {
    const auto first = update();
    const auto maps = read_maps(::getpid());
    for (const MapsEntry& entry : *maps) {
        if (entry.path != "[vdso]") continue;
        const auto* mapping = find_at(first, entry.begin);
        ASSERT_NE(mapping, nullptr);
        EXPECT_EQ(mapping->kind, static_cast<__u32>(UNWIND_MAPPING_TABLE));
        return;
    }
    GTEST_SKIP() << "no vdso";
}

TEST_F(Target, ADamagedLibraryIsNamedAndTheRestGoesOn) {
    const std::string path = file_of_ours("damaged.so");
    std::filesystem::copy_file("/proc/self/exe", path,
                               std::filesystem::copy_options::overwrite_existing);
    {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(32);  // e_phoff
        const std::uint64_t wild = ~std::uint64_t{0} - 100;
        file.write(reinterpret_cast<const char*>(&wild), sizeof(wild));
    }
    void* code = map_code(path);
    if (code == nullptr) GTEST_SKIP() << "temporary directory is noexec";
    const auto first = update();
    ASSERT_EQ(first.problems.size(), 1U);
    EXPECT_EQ(first.problems[0].path, std::filesystem::canonical(path));
    EXPECT_EQ(find(first, code)->kind, static_cast<__u32>(UNWIND_MAPPING_NO_TABLE));
    EXPECT_EQ(find(first, reinterpret_cast<const void*>(&std::strtol))->kind,
              static_cast<__u32>(UNWIND_MAPPING_TABLE));
    ::munmap(code, 4096);
    std::filesystem::remove(path);
}

TEST_F(Target, ReadsALibraryThatWasDeletedSince) {
    if (::geteuid() != 0) GTEST_SKIP() << "map_files needs root";
    const std::string path = file_of_ours("deleted.so");
    for (const char* name : {"libbz2.so.1.0", "libcap.so.2"}) {
        const std::string source = std::string("/lib/x86_64-linux-gnu/") + name;
        if (!std::filesystem::exists(source)) continue;
        std::filesystem::copy_file(source, path, std::filesystem::copy_options::overwrite_existing);
        break;
    }
    void* library = ::dlopen(path.c_str(), RTLD_NOW);
    if (library == nullptr) GTEST_SKIP() << "no library to load";
    std::filesystem::remove(path);
    const auto with = update();
    EXPECT_TRUE(with.problems.empty());
    const auto maps = read_maps(::getpid());
    bool found = false;
    for (const MapsEntry& entry : *maps) {
        if (!entry.deleted || !entry.executable) continue;
        found = true;
        EXPECT_EQ(find_at(with, entry.begin)->kind, static_cast<__u32>(UNWIND_MAPPING_TABLE));
    }
    EXPECT_TRUE(found);
    ::dlclose(library);
}

TEST_F(Target, ProcessesShareTables) {
    update();
    const std::uint64_t used = tables_.used_bytes();
    const pid_t child = ::fork();
    if (child == 0) {
        ::pause();
        ::_exit(0);
    }
    const auto maps = read_maps(child);
    ASSERT_TRUE(maps);
    const auto second = tables_.update(child, *maps);
    ASSERT_TRUE(second);
    EXPECT_EQ(second->tables_built, 0U);
    EXPECT_EQ(tables_.used_bytes(), used + UNWIND_CHUNK_BYTES);  // its own mappings
    ::kill(child, SIGKILL);
    tables_.forget(child);
    update();
    EXPECT_EQ(tables_.used_bytes(), used);
}

/// A process that has been through exec: its libraries lie elsewhere.
class Program {
  public:
    Program() : pid(::fork()) {
        if (pid == 0) {
            ::execl("/bin/sleep", "sleep", "60", nullptr);
            ::_exit(127);
        }
        for (int i = 0; i < 1000 && libc() == nullptr; ++i) ::usleep(10'000);
    }
    ~Program() {
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
    }
    /// The mapping of libc's code once it runs.
    const MapsEntry* libc() {
        const auto now = read_maps(pid);
        if (!now) return nullptr;
        maps = *now;
        const auto is = [&](const char* name, const MapsEntry& entry) {
            return entry.executable && entry.path.find(name) != std::string::npos;
        };
        if (std::none_of(maps.begin(), maps.end(), [&](const auto& e) { return is("/sleep", e); }))
            return nullptr;
        const auto found = std::find_if(maps.begin(), maps.end(),
                                        [&](const auto& entry) { return is("/libc.so", entry); });
        return found != maps.end() ? &*found : nullptr;
    }
    const pid_t pid;
    std::vector<MapsEntry> maps;
};

TEST_F(Target, AFileHasOneNumberInAllProcesses) {
    Program one, other;
    const MapsEntry* here = one.libc();
    const MapsEntry* there = other.libc();
    ASSERT_TRUE(here && there);
    const auto first = tables_.update(one.pid, one.maps);
    const auto second = tables_.update(other.pid, other.maps);
    ASSERT_TRUE(first && second);
    const unwind_mapping* mapping = find_at(*first, here->begin);
    const unwind_mapping* twin = find_at(*second, there->begin);
    ASSERT_TRUE(mapping && twin);
    EXPECT_NE(mapping->module, 0);
    EXPECT_EQ(mapping->module, twin->module);
    EXPECT_EQ(here->begin - mapping->bias, there->begin - twin->bias);
    std::set<__u16> numbers;
    std::set<std::string> files;
    for (const MapsEntry& entry : one.maps) {
        const unwind_mapping* code = entry.executable ? find_at(*first, entry.begin) : nullptr;
        if (code == nullptr || (!entry.is_file() && entry.path != "[vdso]")) continue;
        numbers.insert(code->module);
        files.insert(entry.path);
    }
    EXPECT_GE(files.size(), 4U);  // sleep, libc, the loader, the vdso
    EXPECT_EQ(numbers.size(), files.size());
}

TEST_F(Target, ALibraryThatWasDeletedIsStillTheForkedChilds) {
    const std::string path = file_of_ours("unlinked.so");
    std::filesystem::copy_file("/proc/self/exe", path,
                               std::filesystem::copy_options::overwrite_existing);
    void* code = map_code(path);
    if (code == nullptr) GTEST_SKIP() << "temporary directory is noexec";
    const auto parent = update();
    std::filesystem::remove(path);
    const Child child;
    const auto twin = tables_.update(child.pid, *read_maps(child.pid));
    ASSERT_TRUE(twin);
    EXPECT_EQ(twin->record.generation, parent.record.generation);
    EXPECT_EQ(find(*twin, code)->module, find(parent, code)->module);
    ::munmap(code, 4096);
}

/// A page of one file, and behind it the next page of another one.
TEST_F(Target, NeighboursOfDifferentFilesStayApart) {
    std::set<__u16> numbers;
    auto* code = static_cast<std::uint8_t*>(
        ::mmap(nullptr, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(code, MAP_FAILED);
    for (const int page : {0, 1}) {
        const std::string path = file_of_ours("neighbour") + std::to_string(page);
        std::ofstream(path) << std::string(8192, 'x');  // no ELF file: it goes by its name
        if (map_code(path, code + page * 4096, page * 4096) == nullptr)
            GTEST_SKIP() << "temporary directory is noexec";
    }
    const auto with = update();
    for (const int page : {0, 1}) {
        const unwind_mapping* mapping = find(with, code + page * 4096);
        ASSERT_NE(mapping, nullptr);
        EXPECT_EQ(mapping->kind, static_cast<__u32>(UNWIND_MAPPING_JIT));
        EXPECT_EQ(mapping->bias, reinterpret_cast<std::uintptr_t>(code));
        numbers.insert(mapping->module);
        std::filesystem::remove(file_of_ours("neighbour") + std::to_string(page));
    }
    EXPECT_EQ(numbers.size(), 2U);
    EXPECT_FALSE(numbers.contains(0));
    ::munmap(code, 8192);
}

TEST_F(Target, AFileThatWasWrittenAnewHasAnotherNumber) {
    const std::string path = file_of_ours("rewritten.so");
    std::set<__u16> numbers;
    for (int i = 0; i < 3; ++i) {
        // In place, so the inode stays; the content, too: that a build is the same is not known.
        std::ifstream source("/proc/self/exe", std::ios::binary);
        std::ofstream(path, std::ios::binary) << source.rdbuf();
        std::filesystem::last_write_time(
            path, std::filesystem::last_write_time(path) + std::chrono::seconds(i));
        void* code = map_code(path);
        if (code == nullptr) GTEST_SKIP() << "temporary directory is noexec";
        const auto with = update();
        const unwind_mapping* mapping = find(with, code);
        ASSERT_NE(mapping, nullptr);
        EXPECT_EQ(mapping->kind, static_cast<__u32>(UNWIND_MAPPING_NO_TABLE));  // of the header
        EXPECT_EQ(mapping->bias, reinterpret_cast<std::uintptr_t>(code));
        numbers.insert(mapping->module);
        ::munmap(code, 4096);
        update();
    }
    EXPECT_EQ(numbers.size(), 3U);
    EXPECT_FALSE(numbers.contains(0));
    std::filesystem::remove(path);
}

TEST_F(Target, TooManyMappingsIsAnError) {
    std::vector<MapsEntry> maps;
    for (std::uint64_t i = 0; i < 2 * UNWIND_MAX_MAPPINGS + 2; ++i) {
        MapsEntry entry;
        entry.begin = (i + 1) << 20;
        entry.end = entry.begin + 4096;
        entry.readable = entry.executable = true;
        if (i % 2 == 0) {
            entry.inode = 1;
            entry.path = "/nonexistent";
        }
        maps.push_back(entry);
    }
    EXPECT_FALSE(tables_.update(::getpid(), maps));
}

TEST_F(Target, AHoleIsNoCallFrameInformation) {
    const MappedHole large(std::uint64_t{1} << 30U);
    const ProcessUpdate first = update();
    EXPECT_EQ(large.problem(first), ".eh_frame: section is too large");
    EXPECT_GT(first.modules, 0U) << "the others are as ever";
}

#ifndef __clang__  // whose builds here have a sanitizer, which ends the program itself
/// In a thread of its own that would be the end of the program.
TEST_F(Target, NoMemoryForOneModuleIsItsProblem) {
    const auto problem_without_memory = [this]() -> std::string {
        const MappedHole hole(std::uint64_t{100} << 20U);
        const rlimit little{std::uint64_t{64} << 20U, RLIM_INFINITY};
        const auto maps = read_maps(::getpid());
        ::setrlimit(RLIMIT_DATA, &little);
        const auto result = tables_.update(::getpid(), *maps);
        return result ? hole.problem(*result) : result.error().message;
    };
    const pid_t child = ::fork();
    if (child == 0) ::_exit(problem_without_memory().starts_with("no memory") ? 0 : 1);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}
#endif

/// How many of eight threads had a share of `bytes` at the same time.
int most_at_once(std::uint64_t bytes) {
    MemoryShares shares;
    std::atomic<int> now{0}, most{0};
    const auto work = [&] {
        for (int i = 0; i < 50; ++i) {
            const auto share = shares.take(bytes);
            const int with_me = ++now;
            for (int seen = most; seen < with_me && !most.compare_exchange_weak(seen, with_me);) {
            }
            std::this_thread::sleep_for(std::chrono::microseconds(100));
            --now;
        }
    };
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i < 8; ++i) threads.emplace_back(work);
    }
    return most;
}

TEST(MemoryShares, LargeFilesAreReadAfterEachOther) {
    EXPECT_EQ(most_at_once(std::uint64_t{200} << 20U), 1);
    EXPECT_EQ(most_at_once(std::uint64_t{40} << 20U), 1);
    EXPECT_LE(most_at_once(std::uint64_t{30} << 20U), 2);
    EXPECT_GT(most_at_once(1 << 20U), 2);
}

}  // namespace
}  // namespace asrtrace::unwind
