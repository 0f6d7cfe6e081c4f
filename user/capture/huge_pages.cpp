// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/huge_pages.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "user/base/maps.h"

namespace asrtrace::capture {
namespace {

constexpr unsigned kMostMappings = 8192;

/// Of "always [madvise] never"; `inherited` is what "[inherit]" means.
HugePages setting_of(const std::string& path, HugePages inherited) {
    const auto text = read_text_file(path);
    const auto chosen = [&](std::string_view word) {
        return text && text->find(word) != std::string::npos;
    };
    if (chosen("[always]")) return HugePages::kAlways;
    if (chosen("[madvise]")) return HugePages::kAdvised;
    return chosen("[inherit]") ? inherited : HugePages::kNever;
}

}  // namespace

HugePages huge_pages_allowed(const std::string& root) {
    const HugePages general = setting_of(root + "/enabled", HugePages::kNever);
    HugePages most = HugePages::kNever;
    bool by_size = false;
    std::error_code gone;
    std::filesystem::directory_iterator entry(root, gone);
    for (; !gone && entry != std::filesystem::directory_iterator(); entry.increment(gone)) {
        if (!entry->path().filename().string().starts_with("hugepages-")) continue;
        by_size = true;
        most = std::max(most, setting_of(entry->path().string() + "/enabled", general));
    }
    return by_size ? most : general;
}

bool advises_huge_pages(std::istream& smaps) {
    unsigned mappings = 0;
    for (std::string line; std::getline(smaps, line);) {
        if (!line.starts_with("VmFlags:")) continue;
        if (line.find(" hg") != std::string::npos || ++mappings == kMostMappings) return true;
    }
    return false;
}

HugePages huge_pages_of(pid_t pid) {
    const HugePages allowed = huge_pages_allowed();
    if (allowed != HugePages::kAdvised) return allowed;
    std::ifstream smaps("/proc/" + std::to_string(pid) + "/smaps");
    return advises_huge_pages(smaps) ? HugePages::kAlways : allowed;
}

}  // namespace asrtrace::capture
