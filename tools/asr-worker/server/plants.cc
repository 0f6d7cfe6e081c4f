// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "server/plants.h"

#include <cstdlib>
#include <new>
#include <utility>

#include "plant_library/asr_plant.h"

namespace asr {
namespace {

class LeakPlant : public Plant {
  public:
    explicit LeakPlant(std::size_t bytes) : bytes_(bytes) {}
    void on_request(std::size_t) override { plant_leak_request(bytes_, held_); }
    PlantTruth truth() const override { return {"leak", "asr::plant_leak_request", bytes_, held_}; }

  private:
    std::size_t bytes_;
    Holdings held_;
};

class CachePlant : public Plant {
  public:
    CachePlant(std::size_t bytes, std::size_t entries) : bytes_(bytes), entries_(entries) {}
    ~CachePlant() override {
        for (CacheEntry* entry = cache_.oldest; entry != nullptr;) {
            std::free(std::exchange(entry, entry->newer));
        }
    }
    void on_request(std::size_t) override { plant_cache_request(bytes_, entries_, cache_, held_); }
    PlantTruth truth() const override {
        return {"cache", "asr::plant_cache_request", bytes_, held_};
    }

  private:
    std::size_t bytes_;
    std::size_t entries_;
    BlockCache cache_;
    Holdings held_;
};

class KeyedPlant : public Plant {
  public:
    explicit KeyedPlant(std::size_t bytes) : bytes_(bytes) {}
    ~KeyedPlant() override {
        while (newest_ != nullptr) std::free(std::exchange(newest_, newest_->older));
    }
    void on_request(std::size_t input_bytes) override {
        plant_keyed_request(bytes_, input_bytes, newest_, held_);
    }
    PlantTruth truth() const override {
        return {"keyed", "asr::plant_keyed_request", bytes_, held_};
    }

  private:
    std::size_t bytes_;
    KeyedEntry* newest_ = nullptr;
    Holdings held_;
};

class RetentionPlant : public Plant {
  public:
    explicit RetentionPlant(std::size_t bytes) : scatter_(make_scatter(bytes, held_)) {}
    ~RetentionPlant() override {
        for (void* pin : scatter_.pins) std::free(pin);
    }
    void on_request(std::size_t) override { plant_retention_request(scatter_, held_); }
    PlantTruth truth() const override {
        const std::size_t requests = scatter_.requests;
        return {"retention", "asr::plant_retention_request",
                requests == 0 ? 0 : held_.bytes / requests, held_};
    }

  private:
    Holdings held_;
    Scatter scatter_;
};

class LibraryPlant : public Plant {
  public:
    explicit LibraryPlant(std::size_t bytes) : bytes_(bytes) {}
    void on_request(std::size_t) override {
        const std::size_t chunk_bytes = asr_plant_library_request(bytes_);
        if (chunk_bytes == 0) throw std::bad_alloc();
        held_.bytes += bytes_;
        held_.blocks += 1;
        held_.chunk_bytes += chunk_bytes;
    }
    PlantTruth truth() const override {
        return {"library", "asr_plant_library_request", bytes_, held_};
    }

  private:
    std::size_t bytes_;
    Holdings held_;
};

std::unique_ptr<Plant> make_plant(const PlantSpec& spec) {
    switch (spec.kind) {
        case PlantKind::kLeak:
            return std::make_unique<LeakPlant>(spec.bytes);
        case PlantKind::kCache:
            return std::make_unique<CachePlant>(spec.bytes, spec.entries);
        case PlantKind::kKeyed:
            return std::make_unique<KeyedPlant>(spec.bytes);
        case PlantKind::kRetention:
            return std::make_unique<RetentionPlant>(spec.bytes);
        case PlantKind::kLibrary:
            return std::make_unique<LibraryPlant>(spec.bytes);
    }
    throw std::invalid_argument("no such plant");
}

}  // namespace

Plants::Plants(const std::vector<PlantSpec>& specs) {
    plants_.reserve(specs.size());
    for (const auto& spec : specs) plants_.push_back(make_plant(spec));
}

void Plants::on_request(std::size_t input_bytes) {
    const std::lock_guard lock(mutex_);
    for (auto& plant : plants_) plant->on_request(input_bytes);
}

std::vector<PlantTruth> Plants::truth() const {
    const std::lock_guard lock(mutex_);
    std::vector<PlantTruth> out;
    out.reserve(plants_.size());
    for (const auto& plant : plants_) out.push_back(plant->truth());
    return out;
}

}  // namespace asr
