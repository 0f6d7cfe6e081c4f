// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What a file and its separate debug file say of its code: sections, and every name with its
// extent. Read plainly with libelf: it judges which of two symbolizers is right.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

namespace asrtrace::symbols {

struct CodeSection {
    std::uint64_t vaddr = 0;
    std::uint64_t file_offset = 0;
    std::uint64_t bytes = 0;
};

struct NamedExtent {
    std::uint64_t vaddr = 0;
    std::uint64_t bytes = 0;  ///< 0: a label
    std::string name;         ///< demangled
};

class ElfNames {
  public:
    explicit ElfNames(const std::string& path);

    const std::vector<CodeSection>& code() const { return code_; }
    bool has_symtab() const { return has_symtab_; }
    /// Is there a name that covers `vaddr`?
    bool covered(std::uint64_t vaddr) const;
    /// Is `vaddr` behind the end of every name, and `name` the last that begins before it?
    bool is_behind(std::uint64_t vaddr, const std::string& name) const;
    /// Is there an address that bears both names?
    bool are_aliases(const std::string& one, const std::string& other) const;

  private:
    void read(const std::string& path);

    std::vector<CodeSection> code_;
    std::vector<NamedExtent> names_;                                      ///< by vaddr
    std::unordered_map<std::string, std::set<std::uint64_t>> addresses_;  ///< by plain name
    bool has_symtab_ = false;
};

}  // namespace asrtrace::symbols
