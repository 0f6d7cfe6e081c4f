// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tests/corpus/part.h"

namespace asrtrace::corpus {
namespace {

struct Value {
    void* block = nullptr;
    std::size_t bytes = 0;
};

/// What the caches have in common: values of about one size, held in a table made beforehand.
class Table : public Part {
  public:
    Table(const Setup& setup, const char* kind, const char* subkind, std::size_t bytes,
          std::size_t slots, NamedSite site = kSite2)
        : truth_(setup.truth),
          growth_(kind == nullptr ? nullptr : truth_.growth(kind, subkind, site.name)),
          site_(site.site),
          bytes_(bytes),
          values_(slots) {}

  protected:
    void fill(std::size_t slot, progs::Random& random) {
        Value& value = values_[slot];
        value.bytes = random.between(bytes_ - bytes_ / 4, bytes_ + bytes_ / 4);
        value.block = site_(value.bytes);
        truth_.keep(value.block, value.bytes, growth_);
    }

    void empty(std::size_t slot) {
        Value& value = values_[slot];
        if (value.block == nullptr) return;
        truth_.drop(value.block, value.bytes, growth_);
        std::free(value.block);
        value.block = nullptr;
    }

    bool full(std::size_t slot) const { return values_[slot].block != nullptr; }
    std::size_t slots() const { return values_.size(); }

  private:
    Truth& truth_;
    Growth* growth_;
    Site site_;
    std::size_t bytes_;
    std::vector<Value> values_;
};

/// The newest entries; each request adds one.
class NewestCache : public Table {
  public:
    NewestCache(const Setup& setup, std::size_t bytes, std::size_t entries)
        : Table(setup, "cache", "bounded", bytes, entries) {}

    void request(Request& request) override {
        const std::size_t slot = request.id % slots();
        empty(slot);
        fill(slot, request.random);
    }
};

/// A value for each of a fixed number of keys, made when it is first asked for.
class SlotCache : public Table {
  public:
    SlotCache(const Setup& setup, std::size_t bytes, std::size_t slots)
        : Table(setup, "cache", "bounded", bytes, slots) {}

    void request(Request& request) override {
        for (int i = 0; i < 2; ++i) {
            const std::size_t slot = request.random.below(slots());
            if (!full(slot)) fill(slot, request.random);
        }
    }
};

/// A value for each length of input, for ever.
class LengthCache : public Table {
  public:
    LengthCache(const Setup& setup, std::size_t bytes)
        : Table(setup, "cache", "keyed", bytes, setup.requests), lengths_(setup.requests) {}

    void request(Request& request) override {
        for (std::size_t i = 0; i < used_; ++i) {
            if (lengths_[i] == request.frames) return;
        }
        lengths_[used_] = request.frames;
        fill(used_++, request.random);
    }

  private:
    std::vector<std::uint64_t> lengths_;
    std::size_t used_ = 0;
};

/// A value for each request, for ever.
class EndlessCache : public Table {
  public:
    EndlessCache(const Setup& setup, std::size_t bytes)
        : Table(setup, "cache", "unbounded", bytes, setup.requests) {}

    void request(Request& request) override { fill(request.id - 1, request.random); }
};

/// What the first requests make for all.
class Warmup : public Table {
  public:
    Warmup(const Setup& setup, std::size_t bytes, unsigned requests)
        : Table(setup, "warmup", "", bytes, std::size_t{requests} * kEach) {}

    void request(Request& request) override {
        const std::size_t first = (request.id - 1) * kEach;
        for (std::size_t i = first; i < first + kEach && i < slots(); ++i) {
            fill(i, request.random);
        }
    }

  private:
    static constexpr std::size_t kEach = 4;
};

/// Full when the program is ready; what it holds is replaced all the time and never grows.
class Churn : public Table {
  public:
    Churn(const Setup& setup, std::size_t slots, unsigned replaced)
        : Table(setup, nullptr, "", 700, slots, kSite3), replaced_(replaced) {
        for (std::size_t slot = 0; slot < slots; ++slot) fill(slot, setup.random);
    }

    void request(Request& request) override {
        for (unsigned i = 0; i < replaced_; ++i) {
            const std::size_t slot = request.random.below(slots());
            empty(slot);
            fill(slot, request.random);
        }
    }

  private:
    unsigned replaced_;
};

}  // namespace

std::unique_ptr<Part> cache_of_newest(const Setup& setup, std::size_t bytes, std::size_t entries) {
    return std::make_unique<NewestCache>(setup, bytes, entries);
}

std::unique_ptr<Part> cache_of_slots(const Setup& setup, std::size_t bytes, std::size_t slots) {
    return std::make_unique<SlotCache>(setup, bytes, slots);
}

std::unique_ptr<Part> cache_by_length(const Setup& setup, std::size_t bytes) {
    return std::make_unique<LengthCache>(setup, bytes);
}

std::unique_ptr<Part> cache_of_all(const Setup& setup, std::size_t bytes) {
    return std::make_unique<EndlessCache>(setup, bytes);
}

std::unique_ptr<Part> warmup(const Setup& setup, std::size_t bytes, unsigned requests) {
    return std::make_unique<Warmup>(setup, bytes, requests);
}

std::unique_ptr<Part> churn(const Setup& setup, std::size_t slots, unsigned replaced) {
    return std::make_unique<Churn>(setup, slots, replaced);
}

}  // namespace asrtrace::corpus
