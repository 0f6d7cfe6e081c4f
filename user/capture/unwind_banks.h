// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The banks of the unwind space as BPF maps: created when tables need room, mapped, so that tables
// are written in place, and hung into `unwind_banks` (bpf/unwind.bpf.h).
#pragma once

#include <bpf/bpf.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdint>
#include <span>
#include <vector>

#include "bpf/unwind.h"
#include "user/base/fd.h"
#include "user/base/result.h"
#include "user/unwind/space.h"

namespace asrtrace::capture {

class BpfBanks final : public unwind::BankProvider {
  public:
    /// `outer_fd`: the map `unwind_banks`, owned by the caller. -1: banks are created unattached,
    /// to be hung in by attach(), so that tables can be built before the object is loaded.
    explicit BpfBanks(int outer_fd = -1) : outer_fd_(outer_fd) {}

    ~BpfBanks() override {
        for (const Bank& bank : banks_) ::munmap(bank.memory.data(), bank.memory.size());
    }
    BpfBanks(const BpfBanks&) = delete;
    BpfBanks& operator=(const BpfBanks&) = delete;

    Result<std::span<std::uint8_t>> create_bank(std::uint32_t number) override {
        LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_MMAPABLE);
        UniqueFd fd(bpf_map_create(BPF_MAP_TYPE_ARRAY, "unwind_bank", sizeof(std::uint32_t),
                                   UNWIND_CHUNK_BYTES, UNWIND_BANK_CHUNKS, &options));
        if (!fd.valid()) return errno_error("unwind bank");
        constexpr std::size_t kBytes = std::size_t{UNWIND_CHUNK_BYTES} * UNWIND_BANK_CHUNKS;
        void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
        if (memory == MAP_FAILED) return errno_error("unwind bank: mmap");
        banks_.push_back({std::move(fd), {static_cast<std::uint8_t*>(memory), kBytes}});
        if (outer_fd_ >= 0) {
            if (auto status = hang_in(number, 1); !status) return status.error();
        }
        return banks_.back().memory;
    }

    /// Hangs in what was created so far; later banks follow by themselves.
    Status attach(int outer_fd) {
        outer_fd_ = outer_fd;
        return hang_in(0, static_cast<std::uint32_t>(banks_.size()));
    }

    /// A chunk's memory; null: none. For tests.
    void* chunk(std::uint32_t bank, std::uint32_t slot) const {
        if (bank >= banks_.size() || slot >= UNWIND_BANK_CHUNKS) return nullptr;
        return banks_[bank].memory.data() + std::size_t{slot} * UNWIND_CHUNK_BYTES;
    }

  private:
    struct Bank {
        UniqueFd fd;
        std::span<std::uint8_t> memory;
    };

    /// In one batch: the kernel waits for a grace period after each call (maybe_wait_bpf_programs),
    /// not after each element. Map-in-map batches came in 5.15; before that, one by one.
    Status hang_in(std::uint32_t first, std::uint32_t count) {
        std::vector<std::uint32_t> keys;
        std::vector<int> fds;
        for (std::uint32_t i = first; i < first + count; ++i) {
            keys.push_back(i);
            fds.push_back(banks_[i].fd.get());
        }
        std::uint32_t done = count;
        LIBBPF_OPTS(bpf_map_batch_opts, options);
        if (count > 1 &&
            bpf_map_update_batch(outer_fd_, keys.data(), fds.data(), &done, &options) == 0) {
            return ok_status();
        }
        for (std::uint32_t i = 0; i < count; ++i) {
            if (bpf_map_update_elem(outer_fd_, &keys[i], &fds[i], BPF_ANY) != 0) {
                return errno_error("unwind_banks");
            }
        }
        return ok_status();
    }

    int outer_fd_;
    std::vector<Bank> banks_;
};

}  // namespace asrtrace::capture
