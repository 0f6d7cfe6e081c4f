// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/capture/syscall_sites.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "user/capture/disassembler.h"
#include "user/capture/placement.h"

namespace asrtrace::capture {
namespace {

constexpr std::array<std::uint8_t, 2> kSyscall{0x0f, 0x05};
/// The number is loaded no further before the system call than this.
constexpr std::uint64_t kNumberWindow = 40;
/// A short jump reaches that far, and an instruction before it is needed to keep in step.
constexpr std::uint64_t kShortJump = 128;
constexpr std::uint64_t kBefore = kShortJump + 16;
/// By accident these bytes are in 64 MiB of code a thousand times.
constexpr std::size_t kMaxLooks = 16384;
/// The place is no further behind the system call than this.
constexpr std::uint64_t kPlaceWindow = 32;

/// The result, what tells where the thread comes from, or one of the first `arguments` arguments.
bool is_needed(unsigned reg, unsigned arguments) {
    static constexpr std::array<unsigned, 8> kNeeded{X86_REG_RAX, X86_REG_RCX, X86_REG_RDI,
                                                     X86_REG_RSI, X86_REG_RDX, X86_REG_R10,
                                                     X86_REG_R8,  X86_REG_R9};
    const auto* const end = kNeeded.begin() + 2 + std::min(arguments, 6U);
    return std::find(kNeeded.begin(), end, reg) != end;
}

/// Code around one system call instruction, which is at `at` in it.
class Surroundings {
  public:
    Surroundings(Disassembler& disassembler, Bytes code, std::uint64_t vaddr, std::size_t at)
        : disassembler_(disassembler), code_(code), vaddr_(vaddr), at_(at) {}

    struct Known {
        SyscallWish wish;
        std::size_t loaded_at = 0;
    };
    /// Whose number is loaded into eax before it, and stays there.
    std::optional<Known> known(std::span<const SyscallWish> wishes) {
        const std::size_t first = at_ - std::min<std::size_t>(at_, kNumberWindow);
        for (std::size_t from = at_; from-- > first;) {
            const auto number = number_loaded_at(from);
            if (!number) continue;
            const auto wish = std::ranges::find(wishes, *number, &SyscallWish::number);
            if (wish != wishes.end() && leads_to_call(from)) return Known{*wish, from};
        }
        return std::nullopt;
    }

    /// Does anything jump to between the loading of the number and the system call?
    bool is_jumped_to(std::size_t loaded_at) {
        const std::size_t end = std::min(code_.size(), at_ + kShortJump);
        for (std::size_t i = at_ - std::min<std::size_t>(at_, kBefore); i < end;) {
            const cs_insn* insn = disassembler_.decode(code_.subspan(i), vaddr_ + i);
            if (insn == nullptr) {
                ++i;
                continue;
            }
            const auto target = branch_target(*insn);
            if (target && *target > vaddr_ + loaded_at && *target <= vaddr_ + at_) return true;
            i += insn->size;
        }
        return false;
    }

    /// The first emulated instruction behind it that nothing needed is written before, else the
    /// instruction right behind it.
    std::optional<SyscallSite> place(unsigned arguments) {
        const std::size_t behind = at_ + kSyscall.size();
        for (std::size_t i = behind; i < behind + kPlaceWindow && i < code_.size();) {
            const cs_insn* insn = disassembler_.decode(code_.subspan(i), vaddr_ + i);
            if (insn == nullptr) break;
            if (is_emulated(bytes_of(*insn)))
                return SyscallSite{.vaddr = vaddr_ + i,
                                   .distance = static_cast<std::uint32_t>(i - behind),
                                   .emulated = true};
            if (!is_simple(insn->id) || is_needed(written_register(*insn), arguments)) break;
            i += insn->size;
        }
        const cs_insn* next = disassembler_.decode(code_.subspan(behind), vaddr_ + behind);
        // Anything but a plain instruction is not worth the risk of single-stepping it.
        if (next == nullptr || !is_simple(next->id)) return std::nullopt;
        return SyscallSite{.vaddr = vaddr_ + behind};
    }

  private:
    /// mov $number,%eax, mov $number,%rax or xor %eax,%eax; not the end of a longer instruction:
    /// what a REX prefix stands before means another register.
    std::optional<std::uint32_t> number_loaded_at(std::size_t from) {
        static constexpr std::array<std::uint8_t, 5> kOpcodes{0xb8, 0xc7, 0x48, 0x31, 0x33};
        if (std::find(kOpcodes.begin(), kOpcodes.end(), code_[from]) == kOpcodes.end() ||
            (from > 0 && (code_[from - 1] & 0xf0) == 0x40))
            return std::nullopt;
        const cs_insn* insn = disassembler_.decode(code_.subspan(from), vaddr_ + from);
        if (insn == nullptr || written_register(*insn) != X86_REG_RAX ||
            insn->detail->x86.op_count != 2)
            return std::nullopt;
        const cs_x86_op& source = insn->detail->x86.operands[1];
        if (insn->id == X86_INS_XOR && source.type == X86_OP_REG && source.reg == X86_REG_EAX)
            return 0;
        if (insn->id != X86_INS_MOV || source.type != X86_OP_IMM || source.imm < 0 ||
            source.imm > UINT32_MAX)
            return std::nullopt;
        return static_cast<std::uint32_t>(source.imm);
    }

    bool leads_to_call(std::size_t from) {
        for (std::size_t i = from; i < at_;) {
            const cs_insn* insn = disassembler_.decode(code_.subspan(i), vaddr_ + i);
            if (insn == nullptr || !is_simple(insn->id)) return false;
            if (i != from && written_register(*insn) == X86_REG_RAX) return false;
            i += insn->size;
            if (i == at_) return true;
        }
        return false;
    }

    Disassembler& disassembler_;
    Bytes code_;
    std::uint64_t vaddr_;
    std::size_t at_;
};

void look_at(Surroundings around, std::span<const SyscallWish> wishes, SyscallSites& out) {
    const auto known = around.known(wishes);
    if (!known) return;
    auto site =
        around.is_jumped_to(known->loaded_at) ? std::nullopt : around.place(known->wish.arguments);
    if (!site) {
        ++out.unproved;
        return;
    }
    site->number = known->wish.number;
    out.sites.push_back(*site);
}

struct Range {
    std::uint64_t begin = 0, end = 0;  ///< addresses
};

/// Where the module has instructions and nothing else, as far as it says.
std::vector<Range> code_ranges(const ElfModule& module) {
    std::vector<Range> sections;
    for (const ElfSection& section : module.sections())
        if (section.name.starts_with(".text") && section.type == SHT_PROGBITS)
            sections.push_back({section.vaddr, section.vaddr + section.size_bytes});
    std::vector<Range> ranges;
    for (const ElfSegment& segment : module.segments()) {
        if (!segment.executable) continue;
        const Range whole{segment.vaddr, segment.vaddr + segment.file_size};
        if (sections.empty()) ranges.push_back(whole);
        for (const Range& section : sections) {
            const Range part{std::max(section.begin, whole.begin),
                             std::min(section.end, whole.end)};
            if (part.begin < part.end) ranges.push_back(part);
        }
    }
    return ranges;
}

}  // namespace

SyscallSites find_syscall_sites(Bytes code, std::uint64_t vaddr,
                                std::span<const SyscallWish> wishes) {
    SyscallSites found;
    Disassembler disassembler;
    std::size_t looks = 0;
    for (std::size_t at = 0; at < code.size(); at += kSyscall.size()) {
        const void* next = ::memmem(code.data() + at, code.size() - at, kSyscall.data(), 2);
        if (next == nullptr) break;
        at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(next) - code.data());
        if (++looks > kMaxLooks || found.sites.size() >= kMaxSyscallSites) {
            ++found.unproved;
            break;
        }
        look_at({disassembler, code, vaddr, at}, wishes, found);
    }
    return found;
}

SyscallSites find_syscall_sites(const ElfModule& module, std::span<const SyscallWish> wishes) {
    SyscallSites found;
    if (module.machine() != EM_X86_64) return found;
    const std::vector<Range> ranges = code_ranges(module);
    std::uint64_t bytes = 0;
    for (const Range& range : ranges) bytes += range.end - range.begin;
    if (bytes > kMaxScannedBytes) return found;
    for (const Range& range : ranges) {
        const auto code = module.bytes_at(range.begin, range.end - range.begin);
        if (!code) continue;
        SyscallSites part = find_syscall_sites(*code, range.begin, wishes);
        found.unproved += part.unproved;
        for (SyscallSite& site : part.sites) {
            site.file_offset = module.file_offset(site.vaddr).value_or(0);
            found.sites.push_back(site);
        }
    }
    return found;
}

}  // namespace asrtrace::capture
