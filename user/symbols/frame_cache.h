// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Frames by module and address. Names are shared: a C++ name is long and comes up in many frames.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "user/symbols/module.h"

namespace asrtrace::symbols {

struct CachedFrame {
    const std::string* function;
    const std::string* file;
    std::uint32_t line;
    bool inlined;
};

class FrameCache {
  public:
    /// Everything is forgotten when about `max_bytes` are in use.
    explicit FrameCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

    /// Null if not cached. Valid until the next put().
    const std::vector<CachedFrame>* find(std::uint32_t module, std::uint64_t vaddr) const;
    const std::vector<CachedFrame>& put(std::uint32_t module, std::uint64_t vaddr,
                                        std::vector<NamedFrame> frames);

  private:
    struct Key {
        std::uint64_t vaddr;
        std::uint32_t module;
        friend bool operator==(const Key&, const Key&) = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const {
            return (key.vaddr ^ (std::uint64_t{key.module} << 40U)) * 0x9E3779B97F4A7C15U;
        }
    };
    const std::string* intern(std::string text);

    std::size_t max_bytes_;
    std::size_t used_bytes_ = 0;
    std::unordered_set<std::string> names_;
    std::unordered_map<Key, std::vector<CachedFrame>, KeyHash> frames_;
};

}  // namespace asrtrace::symbols
