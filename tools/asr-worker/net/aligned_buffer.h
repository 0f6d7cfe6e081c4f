// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// Memory of one tensor. PyTorch's CPU allocator asks posix_memalign for every tensor, 64 bytes
// aligned, and frees it with the tensor; this does the same, so that the worker's heap traffic has
// the shape of the real thing: large blocks that come and go with every layer.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>
#include <span>

namespace asr {

inline constexpr std::size_t kTensorAlignment = 64;

struct FreeDeleter {
    void operator()(void* block) const { std::free(block); }
};

class AlignedBuffer {
  public:
    AlignedBuffer() = default;
    /// `bytes` of uninitialised memory; throws std::bad_alloc.
    explicit AlignedBuffer(std::size_t bytes) : bytes_(bytes) {
        void* block = nullptr;
        if (bytes > 0 && posix_memalign(&block, kTensorAlignment, bytes) != 0)
            throw std::bad_alloc();
        block_.reset(block);
    }

    void* data() const { return block_.get(); }
    std::size_t bytes() const { return bytes_; }
    std::span<float> floats() const {
        return {static_cast<float*>(block_.get()), bytes_ / sizeof(float)};
    }

  private:
    std::unique_ptr<void, FreeDeleter> block_;
    std::size_t bytes_ = 0;
};

/// Activations as plain [channels][length] floats.
struct Tensor {
    Tensor() = default;
    Tensor(std::size_t channel_count, std::size_t column_count)
        : channels(channel_count),
          length(column_count),
          buffer(channel_count * column_count * sizeof(float)) {}

    std::span<float> values() const { return buffer.floats(); }

    std::size_t channels = 0;
    std::size_t length = 0;
    AlignedBuffer buffer;
};

}  // namespace asr
