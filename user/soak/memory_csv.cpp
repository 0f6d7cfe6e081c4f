// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/soak/memory_csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

namespace asrtrace::soak {
namespace {

constexpr std::size_t kMostQuoted = 120;

/// What stands before the next `end`, which is taken away with it; all of it if there is none.
std::string_view take_until(std::string_view& text, char end) {
    const std::size_t at = std::min(text.find(end), text.size());
    const std::string_view taken = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return taken;
}

std::string quoted(std::string_view text) {
    const bool long_one = text.size() > kMostQuoted;
    return fmt::format("'{}{}'", text.substr(0, kMostQuoted), long_one ? "..." : "");
}

/// Digits only: no sign, no blank, nothing behind.
std::optional<std::int64_t> whole_number(std::string_view field) {
    std::int64_t value = 0;
    const char* end = field.data() + field.size();
    const auto [stopped, failure] = std::from_chars(field.data(), end, value);
    if (failure != std::errc() || stopped != end || field.front() == '-' || value > kMostValue)
        return std::nullopt;
    return value;
}

Result<Row> parse_row(std::string_view line) {
    const auto fields = static_cast<std::size_t>(std::count(line.begin(), line.end(), ',')) + 1;
    if (fields != kColumns.size())
        return Error{
            fmt::format("{} fields instead of {}: {}", fields, kColumns.size(), quoted(line))};
    Row row;
    for (const Column& column : kColumns) {
        const std::string_view field = take_until(line, ',');
        const auto value = whole_number(field);
        if (!value)
            return Error{fmt::format("{} is {}, no whole number from 0 to {}", column.name,
                                     quoted(field), kMostValue)};
        row.*column.value = *value;
    }
    if (row.mem_total == 0) return Error{"MemTotal_kB is 0"};
    return row;
}

}  // namespace

std::string memory_csv_header() {
    std::string names;
    for (const Column& column : kColumns)
        names.append(names.empty() ? "" : ",").append(column.name);
    return names;
}

std::string memory_csv_line(const Row& row) {
    std::string line;
    for (const Column& column : kColumns)
        line.append(line.empty() ? "" : ",").append(std::to_string(row.*column.value));
    return line;
}

Result<std::vector<Row>> parse_memory_csv(std::string_view text) {
    const std::string_view first = take_until(text, '\n');
    if (first != memory_csv_header())
        return Error{
            fmt::format("line 1: the header is {}, not '{}'", quoted(first), memory_csv_header())};
    std::vector<Row> rows;
    for (std::size_t number = 2; !text.empty(); ++number) {
        auto row = parse_row(take_until(text, '\n'));
        if (!row) return Error{fmt::format("line {}: {}", number, row.error().message)};
        if (!rows.empty() && row->ts < rows.back().ts)
            return Error{fmt::format("line {}: ts {} lies before the row above, {}", number,
                                     row->ts, rows.back().ts)};
        rows.push_back(*row);
    }
    return rows;
}

}  // namespace asrtrace::soak
