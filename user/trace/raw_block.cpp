// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/trace/raw_block.h"

#include <zlib.h>

#include <limits>
#include <utility>

namespace asrtrace::trace {
namespace {

using Length = std::uint16_t;

/// Of a block: what it held when it was closed, and the record that closed it.
constexpr std::size_t kMostBytes =
    kRawBlockBytes + sizeof(Length) + std::numeric_limits<Length>::max();

Bytef* zlib_bytes(std::string& text) {
    return reinterpret_cast<Bytef*>(text.data());
}

const Bytef* zlib_bytes(const std::string& text) {
    return reinterpret_cast<const Bytef*>(text.data());
}

/// The contents of a block; empty if it is damaged.
std::string inflate(const RawRow& row) {
    if (row.size == 0 || row.size > kMostBytes) return {};
    std::string content(row.size, '\0');
    uLongf got = content.size();
    const int code =
        ::uncompress(zlib_bytes(content), &got, zlib_bytes(row.data.bytes), row.data.bytes.size());
    if (code != Z_OK || got != content.size()) return {};
    return content;
}

/// The records of a block's contents, one behind the other; nothing if they do not fill it.
std::vector<Bytes> records_of(Bytes content) {
    std::vector<Bytes> records;
    for (std::size_t at = 0; at < content.size();) {
        const auto length = read_at<Length>(content, at);
        const auto record = slice_at(content, at + sizeof(Length), length.value_or(0));
        if (!length || !record) return {};
        records.push_back(*record);
        at += sizeof(Length) + *length;
    }
    return records;
}

}  // namespace

void RawPacker::add(Bytes record) {
    if (packed_bytes_ >= max_bytes_ || record.size() > std::numeric_limits<Length>::max()) {
        ++totals_.not_kept;
        return;
    }
    const auto length = static_cast<Length>(record.size());
    open_.append(reinterpret_cast<const char*>(&length), sizeof(length));
    open_.append(reinterpret_cast<const char*>(record.data()), record.size());
    ++open_events_;
    if (open_.size() >= kRawBlockBytes) close();
}

std::vector<RawRow> RawPacker::take() {
    close();
    return std::exchange(closed_, {});
}

void RawPacker::close() {
    if (open_events_ == 0) return;
    RawRow row{next_sequence_, open_events_, open_.size(), {}};
    uLongf packed = ::compressBound(open_.size());
    row.data.bytes.resize(packed);
    const int code = ::compress2(zlib_bytes(row.data.bytes), &packed, zlib_bytes(open_),
                                 open_.size(), Z_BEST_SPEED);
    if (code == Z_OK) {
        row.data.bytes.resize(packed);
        packed_bytes_ += packed;
        totals_.kept += open_events_;
        ++next_sequence_;
        closed_.push_back(std::move(row));
    } else {
        totals_.not_kept += open_events_;
    }
    open_.clear();
    open_events_ = 0;
}

bool unpack(const RawRow& row, const std::function<void(Bytes)>& use) {
    const std::string content = inflate(row);
    const auto records = records_of(as_bytes(content));
    if (records.empty() || records.size() != row.events) return false;
    for (const Bytes record : records) use(record);
    return true;
}

}  // namespace asrtrace::trace
