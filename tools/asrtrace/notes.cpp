// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "tools/asrtrace/notes.h"

#include <utility>

namespace asrtrace {

void Notes::add(Repeated kind, std::string note) {
    const auto [entry, is_first] = series_.try_emplace(kind);
    if (is_first) lines_.emplace_back(kind);
    Series& series = entry->second;
    if (series.first.size() < kFirst) {
        series.first.push_back(std::move(note));
        return;
    }
    series.last.push_back(std::move(note));
    if (series.last.size() <= kLast) return;
    series.last.pop_front();
    ++series.between;
}

std::vector<std::string> Notes::list() const {
    std::vector<std::string> notes;
    for (const auto& line : lines_) {
        if (const auto* note = std::get_if<std::string>(&line)) {
            notes.push_back(*note);
            continue;
        }
        const Series& series = series_.at(std::get<Repeated>(line));
        notes.insert(notes.end(), series.first.begin(), series.first.end());
        if (series.between > 0)
            notes.push_back("(" + std::to_string(series.between) + " more of this kind)");
        notes.insert(notes.end(), series.last.begin(), series.last.end());
    }
    return notes;
}

}  // namespace asrtrace
