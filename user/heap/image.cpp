// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/heap/image.h"

#include <algorithm>
#include <string_view>

namespace asrtrace::heap {
namespace {

constexpr std::string_view kMagic = "asrheap1";

template <typename T>
void append(std::vector<std::uint8_t>& out, T value) {
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(&value);
    out.insert(out.end(), bytes, bytes + sizeof(value));
}

}  // namespace

Result<std::unique_ptr<ImageMemory>> ImageMemory::parse(Bytes file) {
    const auto magic = slice_at(file, 0, kMagic.size());
    if (!magic || !std::equal(magic->begin(), magic->end(), kMagic.begin())) {
        return Error{"not a heap image"};
    }
    auto image = std::make_unique<ImageMemory>();
    const auto maps_bytes = read_at<std::uint32_t>(file, 8).value_or(~0U);
    const auto maps = slice_at(file, 12, maps_bytes);
    if (!maps) return Error{"heap image: cut off in its mappings"};
    image->set_maps(std::string(maps->begin(), maps->end()));
    std::size_t at = 12 + maps_bytes;
    const auto count = read_at<std::uint32_t>(file, at);
    if (!count) return Error{"heap image: cut off before its pages"};
    at += 4;
    for (std::uint32_t i = 0; i < *count; ++i) {
        const auto address = read_at<std::uint64_t>(file, at);
        const auto kind = read_at<std::uint8_t>(file, at + 8);
        const auto used = read_at<std::uint16_t>(file, at + 9);
        if (!address || !kind || !used || *used > kPage) return Error{"heap image: a bad page"};
        const auto bytes = slice_at(file, at + 11, *used);
        if (!bytes) return Error{"heap image: cut off in a page"};
        image->touch(*address, static_cast<PageKind>(*kind & 3));
        image->write(*address & ~(kPage - 1), *bytes);
        at += 11U + *used;
    }
    return image;
}

std::vector<std::uint8_t> ImageMemory::serialize() const {
    std::vector<std::uint8_t> out(kMagic.begin(), kMagic.end());
    append(out, static_cast<std::uint32_t>(maps_text_.size()));
    out.insert(out.end(), maps_text_.begin(), maps_text_.end());
    append(out, static_cast<std::uint32_t>(pages_.size()));
    for (const auto& [address, page] : pages_) {
        std::size_t used = page.bytes.size();
        while (used > 0 && page.bytes[used - 1] == 0) --used;
        append(out, address);
        append(out, static_cast<std::uint8_t>(page.kind));
        append(out, static_cast<std::uint16_t>(used));
        out.insert(out.end(), page.bytes.begin(), page.bytes.begin() + static_cast<long>(used));
    }
    return out;
}

void ImageMemory::set_maps(const std::string& text) {
    maps_text_ = text;
    maps_ = parse_maps(text);
}

void ImageMemory::touch(std::uint64_t address, PageKind kind) {
    Page& page = pages_[address & ~(kPage - 1)];
    page.kind = kind;
    page.bytes.resize(kPage);
}

void ImageMemory::write(std::uint64_t address, Bytes bytes) {
    for (std::uint8_t byte : bytes) {
        Page& page = pages_[address & ~(kPage - 1)];
        page.bytes.resize(kPage);
        page.bytes[address % kPage] = byte;
        ++address;
    }
}

void ImageMemory::put(std::uint64_t address, std::uint64_t word) {
    write(address, {reinterpret_cast<const std::uint8_t*>(&word), 8});
}

std::size_t ImageMemory::read(std::uint64_t address, std::span<std::uint8_t> out) {
    std::size_t done = 0;
    while (done < out.size()) {
        const auto page = pages_.find((address + done) & ~(kPage - 1));
        if (page == pages_.end() || page->second.kind == PageKind::kSwapped) break;
        const std::size_t offset = (address + done) % kPage;
        const std::size_t count = std::min<std::size_t>(out.size() - done, kPage - offset);
        std::copy_n(page->second.bytes.begin() + static_cast<long>(offset), count,
                    out.begin() + static_cast<long>(done));
        done += count;
    }
    return done;
}

Result<std::vector<PageRange>> ImageMemory::pages(std::uint64_t begin, std::uint64_t end, bool) {
    std::vector<PageRange> ranges;
    const std::uint64_t first = begin & ~(kPage - 1);
    for (auto page = pages_.lower_bound(first); page != pages_.end() && page->first < end; ++page) {
        const PageKind kind = page->second.kind;
        if (!ranges.empty() && ranges.back().end == page->first && ranges.back().kind == kind) {
            ranges.back().end += kPage;
        } else {
            ranges.push_back({page->first, page->first + kPage, kind});
        }
    }
    return ranges;
}

}  // namespace asrtrace::heap
