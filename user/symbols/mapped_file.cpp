// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/symbols/mapped_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <mutex>
#include <utility>

#include "user/base/fd.h"

namespace asrtrace::symbols {
namespace {

constexpr std::size_t kMaxFiles = 8192;
constexpr std::uint64_t kMaxFileBytes = std::uint64_t{64} << 30U;

/// Read by the signal handler, hence lock-free and never freed.
struct Slot {
    std::atomic<std::uintptr_t> begin{0};  ///< 0: free
    std::atomic<std::uintptr_t> end{0};
    std::atomic<bool> shortened{false};
};
std::array<Slot, kMaxFiles> slots;
std::mutex slots_mutex;
std::once_flag handler_once;
struct sigaction previous_action;

void pass_on(int signal, siginfo_t* info, void* context) {
    if ((previous_action.sa_flags & SA_SIGINFO) != 0 && previous_action.sa_sigaction != nullptr) {
        previous_action.sa_sigaction(signal, info, context);
    } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
        previous_action.sa_handler(signal);
    } else {
        ::signal(signal, SIG_DFL);  // the access is repeated and ends the process
    }
}

void on_sigbus(int signal, siginfo_t* info, void* context) {
    const int saved_errno = errno;
    const auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    for (Slot& slot : slots) {
        const std::uintptr_t begin = slot.begin.load();
        if (begin == 0 || address < begin || address >= slot.end.load()) continue;
        void* page = static_cast<char*>(info->si_addr) - (address & 4095U);
        void* zeros = ::mmap(page, 4096, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (zeros == MAP_FAILED) break;
        slot.shortened.store(true);
        errno = saved_errno;
        return;
    }
    errno = saved_errno;
    pass_on(signal, info, context);
}

void install_handler() {
    struct sigaction action {};
    action.sa_sigaction = on_sigbus;
    action.sa_flags = SA_SIGINFO | SA_NODEFER | SA_ONSTACK;
    ::sigaction(SIGBUS, &action, &previous_action);
}

int take_slot(const void* data, std::size_t size) {
    std::call_once(handler_once, install_handler);
    const std::lock_guard lock(slots_mutex);
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (slots[i].begin.load() != 0) continue;
        slots[i].shortened.store(false);
        slots[i].end.store(reinterpret_cast<std::uintptr_t>(data) + size);
        slots[i].begin.store(reinterpret_cast<std::uintptr_t>(data));
        return static_cast<int>(i);
    }
    return -1;
}

}  // namespace

Result<MappedFile> MappedFile::map(int fd, const std::string& name) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return errno_error(name);
    if (!S_ISREG(status.st_mode)) return Error{name + ": not a regular file"};
    const auto size = static_cast<std::uint64_t>(status.st_size);
    if (size == 0) return Error{name + ": empty file"};
    if (size > kMaxFileBytes) return Error{name + ": larger than 64 GiB"};
    // Writable, to us alone: libelf notes in the section headers what it has inflated.
    void* data = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED) return errno_error(name + ": mmap");
    MappedFile file;
    file.data_ = static_cast<const std::uint8_t*>(data);
    file.size_ = size;
    file.slot_ = take_slot(data, size);
    if (file.slot_ < 0) return Error{name + ": too many files mapped for symbols"};
    return file;
}

Result<MappedFile> MappedFile::open(const std::string& path) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd.valid()) return errno_error(path);
    return map(fd.get(), path);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      slot_(std::exchange(other.slot_, -1)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(slot_, other.slot_);
    return *this;
}

MappedFile::~MappedFile() {
    if (data_ == nullptr) return;
    ::munmap(const_cast<std::uint8_t*>(data_), size_);
    if (slot_ >= 0) slots[static_cast<std::size_t>(slot_)].begin.store(0);
}

bool MappedFile::was_shortened() const {
    return slot_ >= 0 && slots[static_cast<std::size_t>(slot_)].shortened.load();
}

void MappedFile::drop_pages() const {
    if (data_ != nullptr) ::madvise(const_cast<std::uint8_t*>(data_), size_, MADV_DONTNEED);
}

}  // namespace asrtrace::symbols
