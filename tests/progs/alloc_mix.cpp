// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every allocation function, in every way that it can go, from several threads that free each
// other's blocks. Options: --seed N --threads N --operations N (per thread) --before N (blocks
// allocated before "go" and freed after it), --ids-apart N (thread ids that differ by multiples of
// N).
#include <pthread.h>
#include <semaphore.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/progs/alloc_truth.h"

namespace asrtrace::progs {
namespace {

constexpr unsigned kMaxThreads = 64;
constexpr unsigned kHeld = 256;
constexpr unsigned kMailbox = 128;
constexpr unsigned kMaxBefore = 4096;

/// Blocks on their way to a thread that did not allocate them.
struct Mailbox {
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    Block blocks[kMailbox];
    unsigned count = 0;
};

struct Run {
    unsigned threads = 8;
    std::uint64_t operations = 20'000;
    std::uint64_t seed = 1;
    unsigned ids_apart = 1;
    bool has_wanted_id = false;  ///< the thread made last, once it has posted `began`
    sem_t began;
    Mailbox mailboxes[kMaxThreads];
    AllocTruth truths[kMaxThreads];
    pthread_barrier_t start, end, quit;
};

Run run;
Block before[kMaxBefore];

class Worker {
  public:
    explicit Worker(unsigned index)
        : index_(index),
          random_(run.seed * 1000 + index),
          truth_(run.truths[index]),
          allocator_(truth_) {}

    void work() {
        for (std::uint64_t i = 0; i < run.operations; ++i) step();
    }

  private:
    void step();
    void allocate(unsigned kind);
    void reallocate(unsigned kind);
    void fail_somehow(unsigned kind);
    void send();
    void receive();
    void keep(Block block);
    Block take();

    unsigned index_;
    Random random_;
    AllocTruth& truth_;
    Allocator allocator_;
    Block held_[kHeld];
    unsigned count_ = 0;
};

void Worker::keep(Block block) {
    if (count_ == kHeld) allocator_.free_block(take());
    held_[count_++] = block;
}

/// A random held block; an empty one if there is none.
Block Worker::take() {
    if (count_ == 0) return {};
    const auto at = static_cast<unsigned>(random_.below(count_));
    const Block block = held_[at];
    held_[at] = held_[--count_];
    return block;
}

void Worker::allocate(unsigned kind) {
    const std::size_t size = draw_size(random_);
    const std::size_t alignment = std::size_t{16} << random_.below(9);
    if (kind < 24) return keep(allocator_.malloc_block(random_.below(50) == 0 ? 0 : size));
    if (kind < 30) return keep(allocator_.calloc_block(size % 7 + 1, size / 4 + 1));
    if (kind < 34) return keep(allocator_.posix_memalign_block(alignment, size));
    if (kind < 37) return keep(allocator_.aligned_alloc_block(alignment, size));
    // memalign with an alignment that malloc has anyway goes through malloc.
    if (kind < 40) return keep(allocator_.memalign_block(kind == 39 ? 8 : alignment, size));
    if (kind == 40) return keep(allocator_.valloc_block(size));
    keep(allocator_.pvalloc_block(size));
}

void Worker::reallocate(unsigned kind) {
    const std::size_t size = draw_size(random_);
    if (kind < 3) return keep(allocator_.realloc_block({}, size));
    if (kind == 3) return keep(allocator_.reallocarray_block({}, size % 9 + 1, size / 8 + 1));
    const Block old = take();
    if (kind < 6) return keep(allocator_.reallocarray_block(old, size % 9 + 1, size / 8 + 1));
    if (kind == 6) {
        if (old.at != nullptr) allocator_.realloc_to_zero(old);
        return;
    }
    if (kind < 10 && old.size > 1) return keep(allocator_.realloc_block(old, old.size / 2));
    if (kind < 13) return keep(allocator_.realloc_block(old, old.size + 8));
    keep(allocator_.realloc_block(old, size));
}

void Worker::fail_somehow(unsigned kind) {
    switch (kind) {
        case 0:
            return allocator_.failing_malloc(false);
        case 1:
            return allocator_.failing_malloc(true);
        case 2:
            return allocator_.failing_calloc();
        case 3:
            return allocator_.failing_memalign();
        case 4:
            return allocator_.failing_posix_memalign(false);
        case 5:
            return allocator_.failing_posix_memalign(true);
        default: {
            const Block kept = take();
            allocator_.failing_realloc(kept);
            if (kept.at != nullptr) keep(kept);
        }
    }
}

void Worker::send() {
    const Block block = take();
    if (block.at == nullptr) return;
    Mailbox& box = run.mailboxes[(index_ + random_.between(1, run.threads)) % run.threads];
    pthread_mutex_lock(&box.lock);
    const bool fits = box.count < kMailbox;
    if (fits) box.blocks[box.count++] = block;
    pthread_mutex_unlock(&box.lock);
    if (!fits) keep(block);
}

void Worker::receive() {
    Block received[kMailbox];
    Mailbox& box = run.mailboxes[index_];
    pthread_mutex_lock(&box.lock);
    const unsigned count = box.count;
    for (unsigned i = 0; i < count; ++i) received[i] = box.blocks[i];
    box.count = 0;
    pthread_mutex_unlock(&box.lock);
    for (unsigned i = 0; i < count; ++i) {
        ++truth_.handed_over;
        if (random_.below(4) == 0) {
            keep(allocator_.realloc_block(received[i], draw_size(random_)));
        } else {
            allocator_.free_block(received[i]);
        }
    }
}

void Worker::step() {
    const auto kind = static_cast<unsigned>(random_.below(100));
    if (kind < 42) return allocate(kind);
    if (kind < 60) return reallocate(kind - 42);
    if (kind < 63) return fail_somehow(static_cast<unsigned>(random_.below(7)));
    if (kind < 65) return allocator_.free_null();
    if (kind < 75) return send();
    if (kind < 80) return receive();
    if (count_ > 0) allocator_.free_block(take());
}

void* worker_main(void* argument) {
    const bool stays = (gettid() - getpid()) % static_cast<int>(run.ids_apart) == 0;
    run.has_wanted_id = stays;
    sem_post(&run.began);
    if (!stays) return nullptr;
    Worker worker(static_cast<unsigned>(static_cast<AllocTruth*>(argument) - run.truths));
    pthread_barrier_wait(&run.start);
    worker.work();
    pthread_barrier_wait(&run.end);
    pthread_barrier_wait(&run.quit);
    return nullptr;
}

/// Threads with other ids end at once, until there is one with the id that is wanted.
bool start_worker(pthread_t& thread, AllocTruth& truth) {
    for (;;) {
        if (pthread_create(&thread, nullptr, worker_main, &truth) != 0) return false;
        while (sem_wait(&run.began) != 0) {
        }
        if (run.has_wanted_id) return true;
        pthread_join(thread, nullptr);
    }
}

int main_program(int argc, char** argv) {
    run.seed = option(argc, argv, "--seed", 1);
    run.threads = static_cast<unsigned>(option(argc, argv, "--threads", 8));
    run.operations = option(argc, argv, "--operations", 20'000);
    const std::uint64_t blocks_before = option(argc, argv, "--before", 0);
    run.ids_apart = static_cast<unsigned>(option(argc, argv, "--ids-apart", 1));
    if (run.ids_apart == 0 || run.threads == 0 || run.threads > kMaxThreads ||
        blocks_before > kMaxBefore)
        return 2;
    sem_init(&run.began, 0, 0);
    pthread_barrier_init(&run.start, nullptr, run.threads + 1);
    pthread_barrier_init(&run.end, nullptr, run.threads + 1);
    pthread_barrier_init(&run.quit, nullptr, run.threads + 1);

    pthread_t threads[kMaxThreads];
    for (unsigned i = 0; i < run.threads; ++i) {
        if (!start_worker(threads[i], run.truths[i])) return 2;
    }
    for (std::uint64_t i = 0; i < blocks_before; ++i) {
        before[i] = {static_cast<unsigned char*>(std::malloc(i + 1)), i + 1};
    }

    Line("ready").send();
    wait_for("go");
    const std::uint64_t start = now_ns();
    pthread_barrier_wait(&run.start);
    pthread_barrier_wait(&run.end);
    for (std::uint64_t i = 0; i < blocks_before; ++i) std::free(before[i].at);
    const std::uint64_t elapsed = now_ns() - start;

    AllocTruth sum;
    for (unsigned i = 0; i < run.threads; ++i) sum.add(run.truths[i]);
    Line line("done");
    sum.write(line);
    line.number("freed_born_before", blocks_before).number("elapsed_ns", elapsed);
    line.send();
    wait_for("quit");
    pthread_barrier_wait(&run.quit);
    for (unsigned i = 0; i < run.threads; ++i) pthread_join(threads[i], nullptr);
    return 0;
}

}  // namespace
}  // namespace asrtrace::progs

int main(int argc, char** argv) {
    return asrtrace::progs::main_program(argc, argv);
}
