// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Numbers of fields are those of profile.proto.
#define ZLIB_CONST  // zlib reads what it compresses and no more
#include <zlib.h>

#include <map>
#include <protozero/pbf_writer.hpp>
#include <tuple>

#include "user/base/escape.h"
#include "user/report/profile.h"

namespace asrtrace::report {
namespace {

/// Field numbers of Profile, then of its parts.
enum : protozero::pbf_tag_type {
    kSampleType = 1,
    kSample = 2,
    kMapping = 3,
    kLocation = 4,
    kFunction = 5,
    kStringTable = 6,
    kTimeNanos = 9,
    kDurationNanos = 10,
    kDefaultSampleType = 14,
};

class Profile {
  public:
    Profile() { text(""); }  // string 0 is the empty one

    void add(const FlameStack& stack) {
        std::vector<std::uint64_t> locations;
        for (auto frame = stack.frames.rbegin(); frame != stack.frames.rend(); ++frame)
            locations.push_back(location(*frame));  // leaf first
        std::string bytes;
        protozero::pbf_writer sample(bytes);
        sample.add_packed_uint64(1, locations.begin(), locations.end());
        const auto value = static_cast<std::int64_t>(stack.bytes - stack.base_bytes);
        sample.add_packed_int64(2, &value, &value + 1);
        samples_.push_back(std::move(bytes));
    }

    std::string encode(const Flame& flame) {
        const auto space = text(flame_name(flame.kind)), unit = text("bytes");
        std::string out;
        protozero::pbf_writer profile(out);
        std::string value_type;
        protozero::pbf_writer(value_type).add_int64(1, space);
        protozero::pbf_writer(value_type).add_int64(2, unit);
        profile.add_message(kSampleType, value_type);
        for (const auto& sample : samples_) profile.add_message(kSample, sample);
        for (const auto& [name, id] : mappings_) {
            std::string bytes;
            protozero::pbf_writer mapping(bytes);
            mapping.add_uint64(1, id);
            mapping.add_int64(5, text(name));
            mapping.add_bool(7, true);  // has functions: no viewer need symbolize
            profile.add_message(kMapping, bytes);
        }
        for (const auto& location : locations_) profile.add_message(kLocation, location);
        for (const auto& function : functions_) profile.add_message(kFunction, function);
        for (const auto& string : strings_) profile.add_string(kStringTable, string);
        profile.add_int64(kTimeNanos, flame.start_unix_seconds * 1'000'000'000);
        profile.add_int64(kDurationNanos, static_cast<std::int64_t>(flame.seconds * 1e9));
        profile.add_int64(kDefaultSampleType, space);
        return out;
    }

  private:
    std::int64_t text(const std::string& string) {
        const auto valid = escape_invalid(string);
        const auto [at, added] =
            string_ids_.try_emplace(valid, static_cast<std::int64_t>(strings_.size()));
        if (added) strings_.push_back(valid);
        return at->second;
    }

    std::uint64_t function(const FlameFrame& frame) {
        const auto [at, added] =
            function_ids_.try_emplace({frame.name, frame.file}, functions_.size() + 1);
        if (!added) return at->second;
        std::string bytes;
        protozero::pbf_writer function(bytes);
        function.add_uint64(1, at->second);
        function.add_int64(2, text(frame.name));
        function.add_int64(3, text(frame.name));
        function.add_int64(4, text(frame.file));
        functions_.push_back(std::move(bytes));
        return at->second;
    }

    std::uint64_t location(const FlameFrame& frame) {
        const auto [at, added] = location_ids_.try_emplace(
            {frame.name, frame.file, frame.module, frame.line}, locations_.size() + 1);
        if (!added) return at->second;
        std::string bytes;
        protozero::pbf_writer location(bytes);
        location.add_uint64(1, at->second);
        if (!frame.module.empty())
            location.add_uint64(
                2, mappings_.try_emplace(frame.module, mappings_.size() + 1).first->second);
        std::string line;
        protozero::pbf_writer(line).add_uint64(1, function(frame));
        protozero::pbf_writer(line).add_int64(2, frame.line);
        location.add_message(4, line);
        locations_.push_back(std::move(bytes));
        return at->second;
    }

    std::map<std::string, std::int64_t> string_ids_;
    std::map<std::tuple<std::string, std::string>, std::uint64_t> function_ids_;
    std::map<std::tuple<std::string, std::string, std::string, std::uint32_t>, std::uint64_t>
        location_ids_;
    std::map<std::string, std::uint64_t> mappings_;
    std::vector<std::string> strings_, samples_, locations_, functions_;
};

Result<std::string> gzipped(const std::string& content) {
    constexpr int kGzip = 15 + 16;  // the largest window; 16 asks for gzip's header
    z_stream stream{};
    if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        return Error{"zlib: no memory"};
    std::string out(deflateBound(&stream, content.size()), '\0');
    stream.next_in = reinterpret_cast<const Bytef*>(content.data());
    stream.avail_in = static_cast<uInt>(content.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    const int ended = deflate(&stream, Z_FINISH);
    out.resize(stream.total_out);
    deflateEnd(&stream);
    if (ended != Z_STREAM_END) return Error{"zlib: the profile could not be compressed"};
    return out;
}

}  // namespace

Result<std::string> pprof(const Flame& flame) {
    Profile profile;
    for (const FlameStack& stack : flame.stacks)
        if (stack.bytes != stack.base_bytes) profile.add(stack);
    return gzipped(profile.encode(flame));
}

}  // namespace asrtrace::report
