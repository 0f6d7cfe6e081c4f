// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Files that we write, often as root in a directory that belongs to somebody else: readable by
// their owner alone, owned by the user behind sudo, never through a symbolic link.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

#include "user/base/capabilities.h"
#include "user/base/fd.h"
#include "user/base/result.h"

namespace asrtrace {

struct FileOwner {
    uid_t uid = 0;
    gid_t gid = 0;
};

/// What it takes to write where the user wants it, as the user's.
inline constexpr CapabilitySet kWritingCapabilities =
    capability_set(Capability::kDacOverride, Capability::kChown, Capability::kFowner);

/// The user behind sudo (SUDO_UID, SUDO_GID) if we are root on their behalf, else nothing.
std::optional<FileOwner> owner_behind_sudo();

/// `path` with the links of its directory resolved; its last component is kept as it is.
/// Error: the directory does not exist or may not be searched.
Result<std::string> resolve_directory(const std::string& path);

/// Creates `path` with O_EXCL, mode 0600 and the owner behind sudo. Error: it exists (a link
/// counts, wherever it leads), or the directory does not allow it.
Result<UniqueFd> create_exclusively(const std::string& path);

/// Writes all of `content` to `fd`; `name` is for the message.
Status write_all(int fd, std::string_view content, const std::string& name);

/// Opens `path` for what is written bit by bit: a regular file of that name is removed and made
/// anew, a device or a pipe is opened. Error: `path` is a symbolic link, a directory, a database
/// (a trace is one, and costs more than any report of it), or not ours to write.
Result<UniqueFd> open_output_file(const std::string& path);

/// Would write_output_file and open_output_file come to write to `path`? Asked before long work;
/// a file is made beside it and removed. Error: as theirs.
Status check_output_file(const std::string& path);

/// Writes `content` to `path`; "-" is standard output. A regular file of that name is replaced in
/// one step (written beside it, then renamed), a device or a pipe is written to. Error: `path` is a
/// symbolic link, a directory, a database, or cannot be written; what was there before is then
/// unchanged.
Status write_output_file(const std::string& path, std::string_view content);

}  // namespace asrtrace
