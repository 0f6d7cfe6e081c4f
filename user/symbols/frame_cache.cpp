// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/frame_cache.h"

#include <utility>

namespace asrtrace::symbols {
namespace {

constexpr std::size_t kNodeBytes = 80;  ///< of a hash table, with malloc's own

}  // namespace

const std::vector<CachedFrame>* FrameCache::find(std::uint32_t module, std::uint64_t vaddr) const {
    const auto found = frames_.find({vaddr, module});
    return found != frames_.end() ? &found->second : nullptr;
}

const std::string* FrameCache::intern(std::string text) {
    const auto [name, added] = names_.insert(std::move(text));
    if (added) used_bytes_ += kNodeBytes + name->capacity();
    return &*name;
}

const std::vector<CachedFrame>& FrameCache::put(std::uint32_t module, std::uint64_t vaddr,
                                                std::vector<NamedFrame> frames) {
    if (used_bytes_ > max_bytes_) {
        frames_.clear();
        names_.clear();
        used_bytes_ = 0;
    }
    std::vector<CachedFrame> cached;
    cached.reserve(frames.size());
    for (NamedFrame& frame : frames) {
        cached.push_back({intern(std::move(frame.function)), intern(std::move(frame.file)),
                          frame.line, frame.inlined});
    }
    used_bytes_ += kNodeBytes + cached.size() * sizeof(CachedFrame);
    return frames_.insert_or_assign({vaddr, module}, std::move(cached)).first->second;
}

}  // namespace asrtrace::symbols
