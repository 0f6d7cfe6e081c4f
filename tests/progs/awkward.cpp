// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A process of unusual shape that allocates a known amount:
//   --threads N       so many threads beside the first, of which each allocates, too
//   --mappings N      so many mappings that cannot be merged
//   --reserve-gib N   address space without memory behind it
//   --filter 1        seccomp: any system call but those it needs kills it
//   --blocks N        by each thread, of 100 bytes, freed at once but for every tenth
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <cstddef>
#include <cstdlib>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr std::size_t kBlockBytes = 100;
constexpr std::size_t kStackBytes = 64 << 10;
constexpr std::size_t kPage = 4096;

struct Run {
    std::uint64_t blocks = 100;
    pthread_barrier_t start, end, quit;
};

Run run;

__attribute__((noinline)) void allocate() {
    for (std::uint64_t i = 0; i < run.blocks; ++i) {
        void* block = std::malloc(kBlockBytes);
        asm volatile("" ::"r"(block) : "memory");
        if (i % 10 != 0) std::free(block);
    }
}

void* thread_main(void*) {
    pthread_barrier_wait(&run.start);
    allocate();
    pthread_barrier_wait(&run.end);
    pthread_barrier_wait(&run.quit);
    return nullptr;
}

/// Neighbours differ in what is allowed, or the kernel would make one of them.
void make_mappings(std::uint64_t count) {
    if (count == 0) return;
    auto* const pages = static_cast<char*>(
        mmap(nullptr, count * kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (pages == MAP_FAILED) fail("no room for the mappings");
    for (std::uint64_t i = 0; i < count; i += 2)
        if (mprotect(pages + i * kPage, kPage, PROT_READ | PROT_WRITE) != 0)
            fail("the kernel allows no more mappings");
}

void reserve(std::uint64_t gib) {
    if (gib == 0) return;
    void* const space = mmap(nullptr, gib << 30, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (space == MAP_FAILED) fail("no address space");
}

/// As a sandbox has it: a list of what is allowed, death for the rest (linux/seccomp.h).
void install_filter() {
    constexpr unsigned kAllowed[] = {
        SYS_read,    SYS_write, SYS_futex,      SYS_mmap, SYS_munmap,         SYS_mprotect, SYS_brk,
        SYS_madvise, SYS_exit,  SYS_exit_group, SYS_rseq, SYS_rt_sigprocmask, SYS_getrandom};
    constexpr std::size_t kCount = sizeof(kAllowed) / sizeof(*kAllowed);
    sock_filter code[kCount + 3];
    std::size_t at = 0;
    code[at++] = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
    for (std::size_t i = 0; i < kCount; ++i)
        code[at++] =
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kAllowed[i], static_cast<__u8>(kCount - i), 0);
    code[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    code[at++] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    const sock_fprog program{static_cast<unsigned short>(at), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        fail("no seccomp filter");
}

int main_program(int argc, char** argv) {
    const auto threads = static_cast<unsigned>(option(argc, argv, "--threads", 0));
    run.blocks = option(argc, argv, "--blocks", 100);
    pthread_barrier_init(&run.start, nullptr, threads + 1);
    pthread_barrier_init(&run.end, nullptr, threads + 1);
    pthread_barrier_init(&run.quit, nullptr, threads + 1);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, kStackBytes);
    for (unsigned i = 0; i < threads; ++i) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, thread_main, nullptr) != 0) fail("no thread");
    }
    make_mappings(option(argc, argv, "--mappings", 0));
    reserve(option(argc, argv, "--reserve-gib", 0));
    if (option(argc, argv, "--filter", 0) != 0) install_filter();
    Line("ready").send();
    wait_for("go");
    pthread_barrier_wait(&run.start);
    allocate();
    pthread_barrier_wait(&run.end);
    const std::uint64_t blocks = run.blocks * (threads + 1);
    const std::uint64_t kept = (run.blocks + 9) / 10 * (threads + 1);
    Line("done")
        .number("allocated_blocks", blocks)
        .number("allocated_bytes", blocks * kBlockBytes)
        .number("freed_blocks", blocks - kept)
        .send();
    wait_for("quit");
    pthread_barrier_wait(&run.quit);
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
