// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/unwind/cfi.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <unordered_map>

#include "user/unwind/byte_reader.h"
#include "user/unwind/cfi_program.h"
#include "user/unwind/encoded_pointer.h"

namespace asrtrace::unwind {
namespace {

constexpr std::array kArchitectures{
    Architecture{EM_X86_64, 7, 6, 16, 16, false},
    Architecture{EM_AARCH64, 31, 29, 30, 0, true},
};

/// Reads a section's entries one after another.
class Indexer {
  public:
    Indexer(const CfiSection& section, const Architecture& arch) : section_(section), arch_(arch) {}

    CfiIndex run();

  private:
    struct Entry {
        std::size_t start = 0;  ///< of the length field
        std::size_t id_at = 0;  ///< of the CIE id / pointer field
        std::size_t end = 0;
        std::uint64_t id = 0;
        bool wide = false;  ///< 64-bit DWARF
    };

    bool eh() const { return section_.format == CfiFormat::kEhFrame; }
    std::optional<Entry> next(ByteReader& reader);
    std::optional<std::uint32_t> cie_at(std::size_t offset);
    std::optional<Entry> entry_at(std::size_t offset);
    std::optional<Cie> parse_cie(const Entry& entry);
    bool parse_augmentation(ByteReader& reader, const std::string& letters, Cie& cie);
    bool add_fde(const Entry& entry);
    bool is_cie(const Entry& entry) const;
    ByteReader reader_at(const Entry& entry, std::size_t position) const {
        return ByteReader(section_.data.first(entry.end), position);
    }

    const CfiSection& section_;
    const Architecture& arch_;
    CfiIndex index_;
    std::unordered_map<std::size_t, std::uint32_t> cie_numbers_;
    std::size_t last_cie_offset_ = ~std::size_t{0};
    std::uint32_t last_cie_ = 0;
};

std::optional<Indexer::Entry> Indexer::next(ByteReader& reader) {
    Entry entry;
    entry.start = reader.position();
    std::uint64_t length = reader.fixed<std::uint32_t>();
    if (length == 0xffffffff) {
        entry.wide = true;
        length = reader.fixed<std::uint64_t>();
    }
    entry.id_at = reader.position();
    // .eh_frame keeps a 4-byte CIE pointer in 64-bit entries, .debug_frame widens it.
    const bool wide_id = entry.wide && !eh();
    reader.skip(length);
    if (reader.failed()) return std::nullopt;
    entry.end = reader.position();
    if (length < (wide_id ? 8U : 4U)) return entry;
    ByteReader id(section_.data, entry.id_at);
    entry.id = wide_id ? id.fixed<std::uint64_t>() : id.fixed<std::uint32_t>();
    return entry;
}

bool Indexer::is_cie(const Entry& entry) const {
    if (eh()) return entry.id == 0;
    return entry.wide ? entry.id == ~std::uint64_t{0} : entry.id == 0xffffffff;
}

std::optional<Indexer::Entry> Indexer::entry_at(std::size_t offset) {
    ByteReader reader(section_.data, offset);
    return next(reader);
}

CfiIndex Indexer::run() {
    ByteReader reader(section_.data);
    while (!reader.at_end()) {
        const auto entry = next(reader);
        if (!entry) {
            ++index_.damaged;
            break;
        }
        if (entry->end == entry->id_at) {  // a terminator; linkers may leave one in the middle
            if (!section_.exact_end) break;
            continue;
        }
        if (!is_cie(*entry) && !add_fde(*entry)) ++index_.damaged;
    }
    std::stable_sort(index_.fdes.begin(), index_.fdes.end(),
                     [](const Fde& a, const Fde& b) { return a.begin < b.begin; });
    return std::move(index_);
}

std::optional<std::uint32_t> Indexer::cie_at(std::size_t offset) {
    if (offset == last_cie_offset_) return last_cie_;
    auto known = cie_numbers_.find(offset);
    if (known == cie_numbers_.end()) {
        const auto entry = entry_at(offset);
        if (!entry || !is_cie(*entry)) return std::nullopt;
        const auto number = static_cast<std::uint32_t>(index_.cies.size());
        index_.cies.push_back(parse_cie(*entry).value_or(Cie{}));
        known = cie_numbers_.emplace(offset, number).first;
    }
    last_cie_offset_ = offset;
    last_cie_ = known->second;
    return last_cie_;
}

std::optional<Cie> Indexer::parse_cie(const Entry& entry) {
    Cie cie;
    ByteReader reader = reader_at(entry, entry.id_at + (entry.wide && !eh() ? 8 : 4));
    const auto version = reader.fixed<std::uint8_t>();
    if (version != 1 && version != 3 && version != 4) return std::nullopt;
    std::string letters;
    while (const char letter = static_cast<char>(reader.fixed<std::uint8_t>())) letters += letter;
    if (version == 4) {
        const auto address_bytes = reader.fixed<std::uint8_t>();
        const auto segment_bytes = reader.fixed<std::uint8_t>();
        if (address_bytes != 8 || segment_bytes != 0) return std::nullopt;
    }
    cie.code_align = reader.uleb();
    cie.data_align = reader.sleb();
    const std::uint64_t ra = version == 1 ? reader.fixed<std::uint8_t>() : reader.uleb();
    if (ra != arch_.return_address || !parse_augmentation(reader, letters, cie))
        return std::nullopt;
    if (reader.failed()) return std::nullopt;
    CfiProgram program(arch_, cie, CfiState{});
    const Bytes instructions =
        section_.data.subspan(reader.position(), entry.end - reader.position());
    if (!program.run(instructions)) return std::nullopt;
    cie.initial = program.state();
    cie.usable = true;
    return cie;
}

bool Indexer::parse_augmentation(ByteReader& reader, const std::string& letters, Cie& cie) {
    if (letters.empty()) return true;
    if (letters[0] != 'z') return false;  // "eh" and unknown ones: data of unknown length follow
    cie.has_augmentation_data = true;
    const std::uint64_t length = reader.uleb();
    const std::size_t begin = reader.position();
    for (const char letter : letters.substr(1)) {
        switch (letter) {
            case 'L':
                reader.skip(1);
                break;
            case 'P': {
                const auto encoding = reader.fixed<std::uint8_t>();
                (void)read_encoded(reader, encoding, {});
                break;
            }
            case 'R':
                cie.pointer_encoding = reader.fixed<std::uint8_t>();
                break;
            case 'S':
                cie.signal_frame = true;
                break;
            case 'B':  // AArch64: the return address is signed with the B key
            case 'G':
                break;
            default:
                return false;
        }
    }
    if (reader.failed() || reader.position() - begin > length) return false;
    reader.skip(length - (reader.position() - begin));
    return true;
}

bool Indexer::add_fde(const Entry& entry) {
    // .eh_frame points back from the field itself, .debug_frame from the section's start.
    if (eh() && entry.id > entry.id_at) return false;
    const auto offset = eh() ? entry.id_at - static_cast<std::size_t>(entry.id)
                             : static_cast<std::size_t>(entry.id);
    const auto number = cie_at(offset);
    if (!number || !index_.cies[*number].usable) return false;
    const Cie& cie = index_.cies[*number];
    ByteReader reader = reader_at(entry, entry.id_at + (entry.wide && !eh() ? 8 : 4));
    const std::uint8_t encoding = eh() ? cie.pointer_encoding : 0;
    const auto begin = read_encoded(reader, encoding, {section_.address, 0, 0});
    // The length has the pointer's format but no base.
    const auto size = read_encoded(reader, encoding & 0x0f, {});
    if (!begin || !size) return false;
    if (cie.has_augmentation_data) reader.skip(reader.uleb());
    if (reader.failed()) return false;
    const auto end = checked_add(*begin, *size);
    if (!end || *size == 0) return *size == 0;
    index_.fdes.push_back({*begin, *end, *number, static_cast<std::uint32_t>(reader.position()),
                           static_cast<std::uint32_t>(entry.end - reader.position())});
    return true;
}

}  // namespace

const Architecture* find_architecture(std::uint16_t machine) {
    const auto found = std::find_if(kArchitectures.begin(), kArchitectures.end(),
                                    [&](const Architecture& a) { return a.machine == machine; });
    return found == kArchitectures.end() ? nullptr : &*found;
}

CfiIndex index_cfi(const CfiSection& section, const Architecture& arch) {
    return Indexer(section, arch).run();
}

}  // namespace asrtrace::unwind
