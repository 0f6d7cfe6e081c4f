// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A target that lies wherever a tracer reads: modules whose ELF headers, tables, names and USDT
// notes are damaged anew all the time, under names that forge output; threads that call themselves
// things; a heap whose books and chunks are wrong; HTTP that nobody would send. It calls malloc
// through the damaged modules, so their tables and symbols are asked for.
//   hostile --directory DIR --module FILE [--seconds N] [--seed N]
#include <arpa/inet.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "tests/progs/handshake.h"

namespace asrtrace::progs {
namespace {

constexpr std::size_t kMostModuleBytes = 1 << 20;
constexpr unsigned kModules = 16;  // mapped at a time
constexpr unsigned kPageBytes = 4096;

const char* const kNames[] = {
    "\nFORGED 0 bytes\n",
    "\x1b[31mFORGED\x1b[0m",
    "<script>FORGED()</script>",
    "\"><img src=x onerror=FORGED>",
    "FORGED;main 9\nroot",
    "\x9b\x33\x31mFORGED\xff\xfe",
    "FORGED\r=> no leak",
    "%n%s%s%n{}{:s}FORGED",
    "x                                                                                    FORGED",
    "x yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy FORGED",
};

struct Original {
    std::uint8_t bytes[kMostModuleBytes];
    std::size_t size = 0;
    std::size_t entry = 0;                     ///< file offset of hostile_through
    std::size_t text_begin = 0, text_end = 0;  ///< of the page it is on, left alone
};

struct Mapped {
    void* at = nullptr;
    std::size_t size = 0;
    char path[512] = {};
};

using Through = void (*)(void (*)(), void*);

Original original;
std::uint8_t damaged[kMostModuleBytes];
const char* directory;
volatile bool over;
std::uint64_t seed;

const char* text_option(int argc, char** argv, const char* name) {
    for (int i = 1; i + 1 < argc; ++i)
        if (std::strcmp(argv[i], name) == 0) return argv[i + 1];
    fail("an option is missing");
}

void read_original(const char* path) {
    const int fd = ::open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t got = ::read(fd, original.bytes, sizeof original.bytes);
    if (got <= 0 || got == sizeof original.bytes) fail("the module cannot be read");
    ::close(fd);
    original.size = static_cast<std::size_t>(got);
    static const char kMark[] = "HOSTILE!CODE....";  // before the code, hostile_module.cpp
    const void* found = ::memmem(original.bytes, original.size, kMark, sizeof kMark - 1);
    if (found == nullptr) fail("the module has no mark");
    original.entry =
        static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - original.bytes) +
        sizeof kMark - 1;
    original.text_begin = original.entry / kPageBytes * kPageBytes;
    original.text_end = original.text_begin + kPageBytes;
}

/// Values that parsers of numbers and offsets stumble over.
std::uint64_t awkward(Random& random) {
    switch (random.below(6)) {
        case 0:
            return ~std::uint64_t{0};
        case 1:
            return std::uint64_t{1} << random.below(64);
        case 2:
            return original.size - random.below(16);
        case 3:
            return 0;
        case 4:
            return random.below(original.size);
        default:
            return random.next();
    }
}

/// A copy of the module with a few fields changed; its code is as it was.
void damage(Random& random) {
    std::memcpy(damaged, original.bytes, original.size);
    const unsigned changes = 1U + static_cast<unsigned>(random.below(24));
    for (unsigned i = 0; i < changes; ++i) {
        // Headers are at the front and at the end, tables and names between.
        const std::size_t at = random.below(3) == 0   ? 16 + random.below(1024)
                               : random.below(2) == 0 ? original.size - 8 - random.below(2048)
                                                      : random.below(original.size - 8);
        const std::uint64_t value = awkward(random);
        const std::size_t width = std::size_t{1} << random.below(4);
        if (at + width > original.text_begin && at < original.text_end) continue;
        std::memcpy(damaged + at, &value, width);
    }
}

Mapped map_damaged(Random& random, unsigned number) {
    Mapped mapped;
    char name[128];
    std::snprintf(name, sizeof name, "%s", kNames[random.below(std::size(kNames))]);
    for (char& c : name)
        if (c == '/') c = '_';
    std::snprintf(mapped.path, sizeof mapped.path, "%s/%u%s", directory, number, name);
    ::unlink(mapped.path);
    const int fd = ::open(mapped.path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    // Cut short now and then: what is mapped is then beyond the file's end, but not the code.
    const std::size_t size = random.below(4) == 0
                                 ? std::max(original.text_end, original.size - random.below(4096))
                                 : original.size;
    if (fd < 0 || ::write(fd, damaged, size) != static_cast<ssize_t>(size)) fail("a module's copy");
    // Sparse now and then: any size that a header claims is there.
    constexpr off_t kSparseBytes = off_t{8} << 30;
    if (random.below(8) == 0 && ::ftruncate(fd, kSparseBytes) != 0) fail("a module cannot grow");
    mapped.size = original.size;
    mapped.at = ::mmap(nullptr, mapped.size, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    if (mapped.at == MAP_FAILED) fail("a module's copy is not mapped");
    ::close(fd);
    return mapped;
}

/// Its file may become shorter before: who still reads it finds nothing there.
void unmap(const Mapped& mapped, Random& random) {
    if (random.below(4) == 0 &&
        ::truncate(mapped.path, static_cast<off_t>(random.below(original.size))) != 0)
        fail("a module cannot shrink");
    ::munmap(mapped.at, mapped.size);
}

void allocate_some() {
    static thread_local void* kept[64];
    static thread_local unsigned next;
    for (unsigned i = 0; i < 40; ++i) {
        void*& slot = kept[next++ % 64];
        std::free(slot);
        slot = std::malloc(24 + next % 900);
    }
}

void* map_modules(void*) {
    Random random(seed + 1);
    Mapped mapped[kModules];
    for (unsigned number = 0; !over; ++number) {
        Mapped& slot = mapped[number % kModules];
        if (slot.at != nullptr) unmap(slot, random);
        damage(random);
        slot = map_damaged(random, number % kModules);
        for (unsigned i = 0; i < kModules; ++i) {
            if (mapped[i].at == nullptr) continue;
            const auto at = reinterpret_cast<std::uintptr_t>(mapped[i].at) + original.entry;
            reinterpret_cast<Through>(at)(allocate_some, nullptr);
        }
        ::usleep(5000);
    }
    return nullptr;
}

void* rename_threads(void*) {
    Random random(seed + 2);
    while (!over) {
        ::prctl(PR_SET_NAME, kNames[random.below(std::size(kNames))]);
        allocate_some();
        ::usleep(2000);
    }
    return nullptr;
}

/// In this thread's own heap, where malloc does not look: the sizes and contents of blocks that are
/// never freed, and the link from a heap to the one before it (heap_info, malloc/arena.c).
void* damage_heap(void*) {
    Random random(seed + 3);
    constexpr std::uint64_t kOutsideOfMain = 4;  // NON_MAIN_ARENA
    std::uint64_t* blocks[32];
    for (std::uint64_t*& block : blocks) block = static_cast<std::uint64_t*>(std::malloc(600));
    if ((blocks[0][-1] & kOutsideOfMain) == 0) fail("the thread has no heap of its own");
    const auto heap =
        reinterpret_cast<std::uintptr_t>(blocks[0]) & ~((std::uintptr_t{64} << 20) - 1);
    auto* const heap_info = reinterpret_cast<std::uint64_t*>(heap);  // ar_ptr, prev, size, ...
    while (!over) {
        std::uint64_t* const block =
            blocks[2 + random.below(29)];  // the first two stay good neighbours
        for (unsigned word = 0; word < 75; ++word) block[word] = awkward(random);
        block[-1] = random.below(2) == 0 ? awkward(random) : 0x265;  // its size, non-main, in use
        const std::uint64_t prev = heap_info[1];
        heap_info[1] = random.below(3) == 0 ? heap : awkward(random);
        ::usleep(3000);
        heap_info[1] = prev;
        ::usleep(1000);
    }
    return nullptr;
}

std::size_t awful_request(Random& random, char* out, std::size_t most) {
    static const char* const kForms[] = {
        "GET /%s HTTP/1.1\r\nHost: x\r\n\r\n",
        "POST /%s HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\nx",
        "POST /%s HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nx",
        "GET /%s HTTP/9.9\r\nContent-Length: -1\r\n\r\n",
        "\r\n\r\n%s\r\n\r\n",
        "GET %s",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n%s",
        "\x16\x03\x01\xff\xff%s",
    };
    const char* const name = kNames[random.below(std::size(kNames))];
    const int length =
        std::snprintf(out, most, kForms[random.below(std::size(kForms))], name);  // NOLINT
    std::size_t size = std::min(static_cast<std::size_t>(length), most);
    for (std::uint64_t i = random.below(4); i > 0; --i)
        out[random.below(size)] = static_cast<char>(random.next());
    if (random.below(8) == 0) {
        std::memset(out + size, 'A', most - size);
        size = most;
    }
    return size;
}

int listener;

void* serve(void*) {
    Random random(seed + 4);
    static char buffer[16384];
    while (!over) {
        const int fd = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (fd < 0) return nullptr;
        while (::recv(fd, buffer, 1 + random.below(sizeof buffer), 0) > 0) {
            allocate_some();
            const int length = std::snprintf(
                buffer, sizeof buffer, "HTTP/1.1 %u %s\r\nContent-Length: %u\r\n\r\n",
                static_cast<unsigned>(random.below(1200)), kNames[random.below(std::size(kNames))],
                static_cast<unsigned>(random.below(3)));
            (void)!::send(fd, buffer, static_cast<std::size_t>(length), MSG_NOSIGNAL);
        }
        ::close(fd);
    }
    return nullptr;
}

void* ask(void* address) {
    Random random(seed + 5);
    static char buffer[20000];
    while (!over) {
        const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (::connect(fd, static_cast<sockaddr*>(address), sizeof(sockaddr_in)) == 0) {
            for (std::uint64_t i = 1 + random.below(4); i > 0; --i) {
                const std::size_t size = awful_request(random, buffer, sizeof buffer);
                (void)!::send(fd, buffer, size, MSG_NOSIGNAL);
                ::usleep(500);
            }
            (void)!::recv(fd, buffer, sizeof buffer, MSG_DONTWAIT);
        }
        ::close(fd);
    }
    return nullptr;
}

sockaddr_in listen_here() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0 ||
        ::listen(listener, 16) != 0 ||
        ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0)
        fail("no socket");
    return address;
}

/// What /proc/PID/cmdline shows from now on: any part of our memory may be it.
void take_endless_command_line() {
    constexpr std::size_t kBytes = std::size_t{64} << 20;
    void* const memory =
        ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) fail("no memory for a command line");
    prctl_mm_map map{};
    map.start_code = map.start_data = reinterpret_cast<std::uintptr_t>(&take_endless_command_line);
    map.end_code = map.end_data = map.start_code + 1;
    map.start_brk = map.brk = reinterpret_cast<std::uintptr_t>(::sbrk(0));
    map.start_stack = reinterpret_cast<std::uintptr_t>(&map);
    map.arg_start = reinterpret_cast<std::uintptr_t>(memory);
    map.arg_end = map.env_start = map.env_end = map.arg_start + kBytes;
    map.exe_fd = ~0U;
    // Without CONFIG_CHECKPOINT_RESTORE it is refused.
    (void)::prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0);
}

int main_program(int argc, char** argv) {
    directory = text_option(argc, argv, "--directory");
    seed = option(argc, argv, "--seed", 1);
    const std::uint64_t seconds = option(argc, argv, "--seconds", 10);
    read_original(text_option(argc, argv, "--module"));
    ::mallopt(M_ARENA_TEST, 64);  // a heap of its own for each thread
    take_endless_command_line();
    sockaddr_in address = listen_here();
    void* (*const parts[])(void*) = {map_modules, rename_threads, damage_heap, serve, ask};
    pthread_t threads[std::size(parts)];
    for (std::size_t i = 0; i < std::size(parts); ++i)
        if (pthread_create(&threads[i], nullptr, parts[i], &address) != 0) fail("no thread");
    ::usleep(300'000);  // modules are there when the tracer comes
    Line("ready").send();
    wait_for("go");
    ::usleep(static_cast<useconds_t>(seconds * 1'000'000));
    over = true;
    ::shutdown(listener, SHUT_RDWR);
    for (pthread_t thread : threads) pthread_join(thread, nullptr);
    Line("done").send();
    wait_for("quit");
    ::_exit(0);  // its heap bears no more
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
