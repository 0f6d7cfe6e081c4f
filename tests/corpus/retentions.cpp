// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Memory that is free and stays resident. What is in use is the same before and after.
#include <malloc.h>
#include <sys/mman.h>

#include <array>

#include "tests/corpus/part.h"
#include "tests/corpus/thread.h"

namespace asrtrace::corpus {
namespace {

constexpr std::size_t kWorkStackBytes = 128 << 10;

/// A table of small blocks. A request makes some of them anew: it builds a large block, and shrinks
/// it to the small one as soon as the next large block lies right above it. What is given back is
/// too small, by a few bytes, for the large blocks of later requests.
class Fragmentation : public Part {
  public:
    Fragmentation(const Setup& setup, std::size_t span, unsigned moves)
        : truth_(setup.truth),
          growth_(truth_.growth("retention", "fragmentation", "")),
          span_(span),
          moves_(moves),
          pins_(setup.requests * moves) {
        for (void*& pin : pins_) {
            pin = kSite3.site(kPinBytes);
            truth_.keep(pin, kPinBytes, nullptr);
        }
    }

    void request(Request&) override {
        for (unsigned i = 0; i < moves_; ++i) move();
        span_ += kStepBytes;
    }

  private:
    static constexpr std::size_t kPinBytes = 40;
    static constexpr std::size_t kStepBytes = 16;
    static constexpr std::size_t kMostWhole = 8;

    void move() {
        void* block = kSite3.site(span_);
        void*& pin = pins_[moved_++];
        truth_.drop(pin, kPinBytes, nullptr);
        std::free(pin);
        pin = block;
        truth_.keep(pin, span_, nullptr);
        for (std::size_t i = 0; i < whole_count_; ++i) {
            if (above(pins_[whole_[i]]) != block) continue;
            cut(pins_[whole_[i]]);
            whole_[i] = whole_[--whole_count_];
            break;
        }
        if (whole_count_ == kMostWhole) progs::fail("large blocks do not lie side by side");
        whole_[whole_count_++] = moved_ - 1;
    }

    /// Where a block would be that lies right above.
    static void* above(void* block) {
        return static_cast<unsigned char*>(block) + malloc_usable_size(block) + sizeof(std::size_t);
    }

    void cut(void*& pin) {
        const std::size_t whole = malloc_usable_size(pin);
        truth_.drop(pin, whole, nullptr);
        pin = std::realloc(pin, kPinBytes);
        truth_.keep(pin, kPinBytes, nullptr);
        truth_.add(growth_, whole - malloc_usable_size(pin));
    }

    Truth& truth_;
    Growth* growth_;
    std::size_t span_;
    unsigned moves_;
    std::vector<void*> pins_;
    std::size_t moved_ = 0;
    std::size_t whole_[kMostWhole] = {};  ///< indices of large blocks that are not cut yet
    std::size_t whole_count_ = 0;
};

/// Each request needs a little more than the one before, all of it in the heap, and frees it. The
/// trim threshold, set by hand, keeps the top chunk.
class TopKept : public Part {
  public:
    TopKept(const Setup& setup, std::size_t bytes)
        : truth_(setup.truth),
          growth_(truth_.growth("retention", "top", "")),
          bytes_(bytes),
          blocks_(setup.requests) {
        mallopt(M_TRIM_THRESHOLD, 1 << 30);
    }

    void request(Request& request) override {
        for (std::size_t i = 0; i < request.id; ++i) blocks_[i] = kSite3.site(bytes_);
        truth_.add(growth_, malloc_usable_size(blocks_[0]) + sizeof(std::size_t));
        for (std::size_t i = 0; i < request.id; ++i) std::free(blocks_[i]);
    }

  private:
    Truth& truth_;
    Growth* growth_;
    std::size_t bytes_;
    std::vector<void*> blocks_;
};

/// Each request maps a block that is larger than any before and frees it, which raises the mmap
/// threshold to its size and the trim threshold to twice as much: the two smaller ones that follow
/// come from the heap, and the heap keeps them. What it keeps is less than the next request's
/// block, which would otherwise be cut from it and raise nothing.
class ThresholdMoved : public Part {
  public:
    ThresholdMoved(const Setup& setup, std::size_t step)
        : truth_(setup.truth), growth_(truth_.growth("retention", "threshold", "")), step_(step) {
        use(kFirstBytes);
    }

    void request(Request& request) override {
        use(kFirstBytes + request.id * step_);
        truth_.add(growth_, 2 * share(step_));
    }

  private:
    static constexpr std::size_t kFirstBytes = 2 << 20;

    /// Two of it, what sbrk adds and what else is on top stay below `bytes`.
    static std::size_t share(std::size_t bytes) { return bytes / 10 * 4; }

    static void use(std::size_t bytes) {
        std::free(kSite3.site(bytes));
        void* first = kSite3.site(share(bytes));
        void* second = kSite3.site(share(bytes));
        std::free(second);
        std::free(first);
    }

    Truth& truth_;
    Growth* growth_;
    std::size_t step_;
};

/// From time to time a thread begins to work, in an arena of its own.
class ThreadByThread : public Part {
  public:
    ThreadByThread(const Setup& setup, const char* subkind, unsigned threads)
        : truth_(setup.truth),
          growth_(truth_.growth("retention", subkind, "")),
          requests_(setup.requests),
          threads_(threads) {}

    void request(Request& request) override {
        if (request.id * threads_ / requests_ == started_) return;
        started_ += 1;
        work_in_new_thread([](void* part) { static_cast<ThreadByThread*>(part)->work(); }, this,
                           kWorkStackBytes);
    }

  protected:
    virtual void work() = 0;

    Truth& truth_;
    Growth* growth_;

  private:
    std::uint64_t requests_;
    std::uint64_t threads_;
    std::uint64_t started_ = 0;
};

/// It keeps a small block above what it frees.
class ManyArenas : public ThreadByThread {
  public:
    ManyArenas(const Setup& setup, std::size_t bytes, unsigned threads)
        : ThreadByThread(setup, "arenas", threads), random_(setup.random.next()), bytes_(bytes) {
        pins_.reserve(threads);
    }

  protected:
    void work() override {
        constexpr std::size_t kPinBytes = 2000;
        std::array<void*, 512> blocks;
        std::size_t count = 0;
        std::size_t sum = 0;
        for (; sum < bytes_ && count < blocks.size(); ++count) {
            blocks[count] = kSite3.site(random_.between(5000, 60'000));
            sum += malloc_usable_size(blocks[count]) + sizeof(std::size_t);
        }
        pins_.push_back(kSite3.site(kPinBytes));
        truth_.keep(pins_.back(), kPinBytes, nullptr);
        while (count > 0) std::free(blocks[--count]);
        truth_.add(growth_, sum);
    }

  private:
    progs::Random random_;
    std::size_t bytes_;
    std::vector<void*> pins_;
};

/// It frees seven blocks of each size that a tcache takes.
class FullTcaches : public ThreadByThread {
  public:
    FullTcaches(const Setup& setup, unsigned threads) : ThreadByThread(setup, "tcache", threads) {}

  protected:
    void work() override {
        constexpr std::size_t kPerBin = 7;
        constexpr std::size_t kLargest = 1032;
        std::array<void*, kPerBin*(kLargest / 16 + 1)> blocks;
        std::size_t count = 0;
        std::size_t sum = 0;
        for (std::size_t bytes = 24; bytes <= kLargest; bytes += 16) {
            for (std::size_t i = 0; i < kPerBin; ++i, ++count) {
                blocks[count] = kSite3.site(bytes);
                sum += malloc_usable_size(blocks[count]) + sizeof(std::size_t);
            }
        }
        while (count > 0) std::free(blocks[--count]);
        truth_.add(growth_, sum);
    }
};

}  // namespace

std::unique_ptr<Part> fragmentation(const Setup& setup, std::size_t span, unsigned moves) {
    return std::make_unique<Fragmentation>(setup, span, moves);
}

std::unique_ptr<Part> top_kept(const Setup& setup, std::size_t bytes) {
    return std::make_unique<TopKept>(setup, bytes);
}

std::unique_ptr<Part> threshold_moved(const Setup& setup, std::size_t step) {
    return std::make_unique<ThresholdMoved>(setup, step);
}

std::unique_ptr<Part> many_arenas(const Setup& setup, std::size_t bytes, unsigned threads) {
    return std::make_unique<ManyArenas>(setup, bytes, threads);
}

std::unique_ptr<Part> full_tcaches(const Setup& setup, unsigned threads) {
    return std::make_unique<FullTcaches>(setup, threads);
}

}  // namespace asrtrace::corpus
