// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A program with a heap of a known kind that counts for itself. Commands on stdin, one a line:
//   info     mallinfo2() as key=value pairs, and the bytes of its own live chunks
//   trim     malloc_trim(0); prints the anonymous bytes that went away
//   planted A / alive A    was the block at A planted as a leak / is it alive?
//   fill     puts seven chunks of each of some sizes into the main thread's tcache, prints the
//   bytes
//   free     frees every other live block (of big kinds: all but the pins)
//   work MS  replaces blocks at random and touches them for so long; prints how many rounds
//   quit
// Nothing between two commands touches the heap.
//   heap_target KIND SEED [SIZE_MIB CHUNKS]
#include <dirent.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

std::uint64_t random_state;

std::uint64_t next_random(std::uint64_t& state) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

/// The blocks of one thread; the table is a mapping of its own, outside the heap.
struct Blocks {
    void** table = nullptr;
    std::size_t capacity = 0;
    std::size_t used = 0;

    void open(std::size_t count) {
        capacity = count;
        table = static_cast<void**>(mmap(nullptr, count * sizeof(void*), PROT_READ | PROT_WRITE,
                                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    }
    void add(void* block) {
        if (block != nullptr && used < capacity) table[used++] = block;
    }
    void drop(std::size_t i) {
        std::free(table[i]);
        table[i] = table[--used];
        table[used] = nullptr;
    }
    std::uint64_t chunk_bytes() const {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < used; ++i) sum += malloc_usable_size(table[i]) + 8;
        return sum;
    }
};

constexpr int kThreads = 8;
Blocks blocks[kThreads + 1];
std::atomic<int> finished{0};
std::atomic<bool> churning{true};
bool churn = false;

// Planted leaks, kept so that no word of memory is a pointer to one.
constexpr std::uint64_t kMask = ~0ULL;
std::uint64_t planted[200000];
std::size_t planted_count = 0;
std::uint64_t planted_bytes = 0;

/// All that malloc gave: a word behind what was asked for may be a link of a chunk that was free
/// here, and lead into what has been planted since.
void fill(void* block, int value) {
    if (block != nullptr) std::memset(block, value, malloc_usable_size(block));
}

void* touched(std::size_t bytes) {
    void* block = std::malloc(bytes);
    fill(block, 0x5b);
    return block;
}

void mixed_work(Blocks& own, std::uint64_t seed, std::size_t rounds, std::size_t largest) {
    std::uint64_t state = seed | 1;
    for (std::size_t i = 0; i < rounds; ++i) {
        const std::uint64_t dice = next_random(state);
        if (own.used > 64 && dice % 5 < 2) {
            own.drop((dice >> 16) % own.used);
        } else {
            const std::size_t limit = (dice >> 8) % 16 == 0 ? largest : 700;
            own.add(touched(1 + (dice >> 20) % limit));
        }
    }
}

void* thread_main(void* argument) {
    const auto index = reinterpret_cast<std::intptr_t>(argument);
    std::uint64_t seed = random_state * static_cast<std::uint64_t>(index + 3);
    mixed_work(blocks[index], seed, 20000, index == 1 ? 120000 : 9000);
    finished.fetch_add(1);
    while (churn && churning.load()) {
        mixed_work(blocks[index], next_random(seed), 2000, 9000);
        while (blocks[index].used > 6000) blocks[index].drop(blocks[index].used - 1);
    }
    for (;;) pause();
}

void start_threads() {
    for (std::intptr_t i = 1; i <= kThreads; ++i) {
        pthread_t thread;
        // NOLINTNEXTLINE(performance-no-int-to-ptr)
        pthread_create(&thread, nullptr, thread_main, reinterpret_cast<void*>(i));
    }
    while (finished.load() < kThreads) usleep(1000);
}

void make_aligned(Blocks& own) {
    for (int i = 0; i < 60; ++i) {
        const std::uint64_t dice = next_random(random_state);
        void* block = nullptr;
        const std::size_t alignment = std::size_t{16} << (dice % 18);
        const std::size_t bytes = (300 << 10) + (dice >> 20) % (6 << 20);
        if (posix_memalign(&block, alignment, bytes) == 0) std::memset(block, 1, 5000);
        own.add(block);
        own.add(touched((140 << 10) + (dice >> 30) % (1 << 20)));
        if (i % 7 == 3) own.table[own.used - 1] = std::realloc(own.table[own.used - 1], 3 << 20);
        if (i % 5 == 4) own.drop(own.used / 2);
    }
}

/// A mapping right behind the break: sbrk cannot go on.
void block_break() {
    const auto page = static_cast<std::uintptr_t>(getpagesize());
    const std::uintptr_t end = (reinterpret_cast<std::uintptr_t>(sbrk(0)) + page - 1) & ~(page - 1);
    void* behind = reinterpret_cast<void*>(end);  // NOLINT(performance-no-int-to-ptr)
    (void)mmap(behind, page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
}

struct Node {
    Node* next;
    Node* other;
    char payload[1];
};

/// Lists that are reachable through one word in .bss, and rings that nothing reaches.
Node* reachable_list;
void plant_leaks(Blocks& own) {
    Node* previous = nullptr;
    Node* first = nullptr;
    for (std::size_t i = 0; i < 40000; ++i) {
        const std::uint64_t dice = next_random(random_state);
        const std::size_t bytes = sizeof(Node) + (dice >> 8) % 600 + (i % 97 == 0 ? 200000 : 0);
        Node* node = static_cast<Node*>(std::malloc(bytes));
        fill(node, 0);
        const int fate = static_cast<int>(dice % 3);
        if (fate == 0) {
            node->next = reachable_list;
            reachable_list = node;
        } else if (fate == 1) {
            own.add(node);
        } else {
            if (previous != nullptr) previous->next = node;
            if (first == nullptr) first = node;
            node->other = previous;
            node->next = first;
            previous = node;
            planted[planted_count++] = reinterpret_cast<std::uint64_t>(node) ^ kMask;
            planted_bytes += malloc_usable_size(node) + 8;
        }
    }
}

void prepend(std::size_t bytes) {
    Node* node = static_cast<Node*>(std::malloc(bytes));
    node->other = nullptr;
    node->next = reachable_list;
    __atomic_store_n(&reachable_list, node, __ATOMIC_RELEASE);
}

/// Puts nodes before the others, all the time: what a word leads to is newer than what was read
/// before that word, and holds all the rest.
struct Prepending {
    const char* kind;
    std::size_t bytes, at_first, each_time;
    useconds_t pause_us;
    bool in_thread;
};

constexpr Prepending kPrepending[] = {
    {"prepends_arena", sizeof(Node), 1000, 1, 300, true},
    {"prepends_heap", 512, 60000, 20, 1000, false},       // the heap ends elsewhere each time
    {"prepends_mapped", 160 << 10, 100, 1, 1000, false},  // so does the memory for mappings
};
const Prepending* prepending;

void* prepend_for_ever(void*) {
    for (std::size_t i = 0; i < prepending->at_first; ++i) prepend(prepending->bytes);
    for (;; usleep(prepending->pause_us)) {
        for (std::size_t i = 0; i < prepending->each_time; ++i) prepend(prepending->bytes);
    }
}

/// A server's queue: jobs are done at one end and come at the other, among much that stays.
struct Server {
    Node* first;
    Node* last;
    void** sessions;
    char name[64];
};
Server* server;

void enqueue() {
    Node* job = static_cast<Node*>(touched(400));
    job->next = nullptr;
    server->last->next = job;
    server->last = job;
}

void make_queue() {
    constexpr std::size_t kSessions = 100000;
    server = static_cast<Server*>(std::malloc(sizeof(Server)));
    server->first = server->last = static_cast<Node*>(touched(400));
    for (int i = 0; i < 10000; ++i) enqueue();
    // Behind the jobs: of what one block leads to, the last is followed first.
    server->sessions = static_cast<void**>(std::malloc(kSessions * sizeof(void*)));
    for (std::size_t i = 0; i < kSessions; ++i) server->sessions[i] = touched(120);
}

void serve_queue() {
    for (;; usleep(2000)) {
        enqueue();
        Node* job = server->first;
        server->first = job->next;
        std::free(job);
    }
}

/// Blocks to which the kernel alone has a pointer.
void hold_by_epoll() {
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < 500; ++i) {
        epoll_event event{};
        event.events = EPOLLIN;
        event.data.ptr = touched(3000);
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, eventfd(0, EFD_CLOEXEC), &event) != 0) _exit(1);
    }
}

/// Blocks to which pages point that may not be written to any more.
void hold_by_constants() {
    constexpr std::size_t kBytes = 8192;
    auto** table = static_cast<void**>(
        mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (std::size_t i = 0; i < kBytes / sizeof(void*); ++i) table[i] = touched(300);
    mprotect(table, kBytes, PROT_READ);
}

/// A list whose links have a counter in the bits that an address does not need.
void hold_by_tagged_words() {
    static std::uint64_t head = 0;
    for (std::uint64_t i = 1; i <= 2000; ++i) {
        auto* node = static_cast<std::uint64_t*>(touched(300));
        *node = head;
        head = reinterpret_cast<std::uint64_t>(node) | i << 48;
    }
}

/// A thread that ends: nothing of its work stays in a stack or a register that is in use.
void* plant_main(void* own) {
    plant_leaks(*static_cast<Blocks*>(own));
    return nullptr;
}

/// A joined thread is listed, with its stack, until the kernel is done with it; one pointer there
/// reaches the whole ring.
void await_threads(int expected) {
    for (int listed = 0; listed != expected; usleep(1000)) {
        listed = 0;
        DIR* tasks = opendir("/proc/self/task");
        while (const dirent* entry = tasks != nullptr ? readdir(tasks) : nullptr)
            listed += entry->d_name[0] != '.';
        if (tasks != nullptr) closedir(tasks);
    }
}

void make_big(Blocks& own, std::uint64_t bytes, std::uint64_t chunks) {
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    own.open(chunks + 16);
    const std::uint64_t mean = bytes / chunks;
    for (std::uint64_t i = 0; i < chunks; ++i) {
        const std::uint64_t dice = next_random(random_state);
        own.add(touched(mean / 2 + dice % mean));
    }
}

bool is_alive(std::uint64_t address) {
    for (const Blocks& own : blocks) {
        for (std::size_t i = 0; i < own.used; ++i) {
            if (reinterpret_cast<std::uint64_t>(own.table[i]) == address) return true;
        }
    }
    for (const Node* node = reachable_list; node != nullptr; node = node->next) {
        if (reinterpret_cast<std::uint64_t>(node) == address) return true;
    }
    return false;
}

std::uint64_t anonymous_bytes() {
    char text[4096];
    const int fd = open("/proc/self/smaps_rollup", O_RDONLY);
    const ssize_t got = read(fd, text, sizeof(text) - 1);
    close(fd);
    text[got < 0 ? 0 : got] = 0;
    const char* line = std::strstr(text, "\nAnonymous:");
    return line == nullptr ? 0 : std::strtoull(line + 11, nullptr, 10) * 1024;
}

void say(const char* text) {
    (void)!write(1, text, std::strlen(text));
}

void answer_info() {
    std::uint64_t live = 0;
    for (const Blocks& own : blocks) live += own.chunk_bytes();
    for (const Node* node = reachable_list; node != nullptr; node = node->next) {
        live += malloc_usable_size(const_cast<Node*>(node)) + 8;
    }
    const struct mallinfo2 m = mallinfo2();
    char text[512];
    std::snprintf(text, sizeof(text),
                  "arena=%zu ordblks=%zu smblks=%zu hblks=%zu hblkhd=%zu fsmblks=%zu uordblks=%zu "
                  "fordblks=%zu keepcost=%zu live=%lu planted=%lu planted_count=%zu\n",
                  m.arena, m.ordblks, m.smblks, m.hblks, m.hblkhd, m.fsmblks, m.uordblks,
                  m.fordblks, m.keepcost, static_cast<unsigned long>(live),
                  static_cast<unsigned long>(planted_bytes), planted_count);
    say(text);
}

void answer_trim() {
    char text[64];
    const std::uint64_t before = anonymous_bytes();
    malloc_trim(0);
    const std::uint64_t after = anonymous_bytes();
    std::snprintf(text, sizeof(text), "released=%ld\n", static_cast<long>(before - after));
    say(text);
}

void answer_fill() {
    std::uint64_t sum = 0;
    void* held[7];
    for (std::size_t bytes :
         {std::size_t{24}, std::size_t{136}, std::size_t{520}, std::size_t{1000}}) {
        for (void*& block : held) block = std::malloc(bytes);
        for (void*& block : held) {
            sum += malloc_usable_size(block) + 8;
            std::free(block);
            block = nullptr;
        }
    }
    char text[64];
    std::snprintf(text, sizeof(text), "tcache=%lu\n", static_cast<unsigned long>(sum));
    say(text);
}

void answer_free() {
    for (Blocks& own : blocks) {
        for (std::size_t i = own.used; i > 0; --i) {
            if (i % 16 != 1) own.drop(i - 1);
        }
    }
    say("freed=1\n");
}

std::uint64_t now_ns() {
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1000000000 +
           static_cast<std::uint64_t>(now.tv_nsec);
}

/// What a program does with its heap: a round frees a block, allocates one of its size, writes into
/// it, and reads and writes in sixteen others.
void answer_work(std::uint64_t milliseconds) {
    Blocks& own = blocks[0];
    std::uint64_t state = random_state, rounds = 0;
    const std::uint64_t end = now_ns() + milliseconds * 1000000;
    while (rounds % 64 != 0 || now_ns() < end) {
        const std::size_t i = next_random(state) % own.used;
        const std::size_t bytes = malloc_usable_size(own.table[i]);
        std::free(own.table[i]);
        own.table[i] = std::malloc(bytes);
        std::memset(own.table[i], 0x5b, bytes < 4096 ? bytes : 4096);
        for (int other = 0; other < 16; ++other) {
            auto* byte =
                static_cast<volatile unsigned char*>(own.table[next_random(state) % own.used]);
            *byte = static_cast<unsigned char>(*byte + 1);
        }
        ++rounds;
    }
    char text[64];
    std::snprintf(text, sizeof(text), "rounds=%lu\n", static_cast<unsigned long>(rounds));
    say(text);
}

void answer(char* line) {
    const auto address = [line] { return std::strtoull(std::strchr(line, ' '), nullptr, 16); };
    if (std::strncmp(line, "planted", 7) == 0) {
        const std::uint64_t wanted = address() ^ kMask;
        bool found = false;
        for (std::size_t i = 0; i < planted_count; ++i) found = found || planted[i] == wanted;
        say(found ? "yes=1\n" : "yes=0\n");
    } else if (std::strncmp(line, "alive", 5) == 0) {
        say(is_alive(address()) ? "yes=1\n" : "yes=0\n");
    } else if (std::strcmp(line, "info") == 0) {
        answer_info();
    } else if (std::strcmp(line, "trim") == 0) {
        answer_trim();
    } else if (std::strcmp(line, "fill") == 0) {
        answer_fill();
    } else if (std::strcmp(line, "free") == 0) {
        answer_free();
    } else if (std::strncmp(line, "work ", 5) == 0) {
        answer_work(std::strtoull(line + 5, nullptr, 10));
    } else {
        _exit(0);
    }
}

void make_heap(const char* kind, std::uint64_t mib, std::uint64_t chunks) {
    Blocks& own = blocks[0];
    if (std::strcmp(kind, "big") == 0) return make_big(own, mib << 20, chunks);
    for (const Prepending& each : kPrepending) {
        if (std::strcmp(kind, each.kind) == 0) prepending = &each;
    }
    if (prepending != nullptr) return;
    if (std::strcmp(kind, "queue") == 0) return make_queue();
    if (std::strcmp(kind, "epoll") == 0) return hold_by_epoll();
    if (std::strcmp(kind, "constants") == 0) return hold_by_constants();
    if (std::strcmp(kind, "tagged") == 0) return hold_by_tagged_words();
    if (std::strcmp(kind, "noncontiguous") == 0) {
        mixed_work(own, random_state, 3000, 9000);
        block_break();
    }
    mixed_work(own, random_state, 30000, 9000);
    if (std::strcmp(kind, "foreign") == 0) {
        for (int i = 0; i < 3; ++i) {
            auto* gap = static_cast<char*>(sbrk(4096 + 1000 * i));
            std::memset(gap, 0x21, 512);
            mixed_work(own, next_random(random_state), 30000, 60000);
        }
    }
    if (std::strcmp(kind, "noncontiguous") == 0) {
        mixed_work(own, next_random(random_state), 60000, 60000);
        block_break();
        mixed_work(own, next_random(random_state), 60000, 90000);
    }
    if (std::strcmp(kind, "aligned") == 0) make_aligned(own);
    churn = std::strcmp(kind, "churn") == 0;
    if (churn || std::strcmp(kind, "threads") == 0) start_threads();
    if (std::strcmp(kind, "leaks") == 0) {
        start_threads();
        pthread_t thread;
        pthread_create(&thread, nullptr, plant_main, &own);
        pthread_join(thread, nullptr);
        await_threads(1 + kThreads);
    }
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return 2;
    random_state = std::strtoull(argv[2], nullptr, 10) | 1;
    for (Blocks& own : blocks) own.open(400000);
    make_heap(argv[1], argc > 3 ? std::strtoull(argv[3], nullptr, 10) : 64,
              argc > 4 ? std::strtoull(argv[4], nullptr, 10) : 10000);
    say("ready=1\n");
    if (server != nullptr) serve_queue();
    if (prepending != nullptr) {
        pthread_t thread;
        if (!prepending->in_thread) prepend_for_ever(nullptr);
        pthread_create(&thread, nullptr, prepend_for_ever, nullptr);
    }
    char line[128];
    std::size_t length = 0;
    char byte = 0;
    while (read(0, &byte, 1) == 1) {
        if (byte != '\n') {
            if (length + 1 < sizeof(line)) line[length++] = byte;
            continue;
        }
        line[length] = 0;
        length = 0;
        answer(line);
    }
    return 0;
}
