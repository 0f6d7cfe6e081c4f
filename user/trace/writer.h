// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Writes a trace while it is being recorded. What is added is queued and becomes durable, all or
// nothing, with the next commit(); a killed recorder leaves what was committed.
//
//   add_*, set_* --queue--> commit() --one transaction--> FILE (+ FILE-wal) --finish()--> FILE
//
// The file stays bounded: neighbouring epochs are merged (flows add up, levels keep the later), the
// oldest requests shrink to a distribution of their times, samples are thinned. When the disk
// fills up, commit() says so once and the trace goes on in memory, read() included. Used from one
// thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "user/base/bytes.h"
#include "user/base/result.h"
#include "user/ledger/recording.h"

namespace asrtrace::trace {

/// Above these, older detail is merged or dropped; each at least 2.
struct Limits {
    std::size_t epochs = 256;
    std::size_t site_rows = 600'000;  ///< rows of all epochs together, about 40 bytes each
    std::size_t requests = 100'000;   ///< dropped by 128
    std::size_t samples = 20'000;     ///< thinned by half
    std::size_t readings = 1'000;     ///< likewise; of the heap, and of what nothing points to
};

class Writer {
  public:
    /// Creates `path` with mode 0600, owned by the user behind sudo. A finished or abandoned trace
    /// of that name is replaced. Error: any other file, a symbolic link or a trace that is being
    /// recorded is there, or the directory cannot be written.
    static Result<Writer> create(const std::string& path, Limits limits = {});
    /// A trace without a file. Error: SQLite could not start.
    static Result<Writer> in_memory(Limits limits = {});

    Writer(Writer&&) noexcept;
    Writer& operator=(Writer&&) noexcept;
    ~Writer();

    /// Raw records are kept, too, until they measure `max_bytes`, compressed; their times are
    /// CLOCK_MONOTONIC, the window began at `start_ns`. Before the first commit. Error: the file
    /// cannot be written.
    Status keep_raw_events(std::uint64_t max_bytes, std::uint64_t start_ns);

    // What is traced: before the first commit.
    void set_tool_version(std::string version);
    void set_target(ledger::Target target);
    void set_request_source(ledger::RequestSource source, std::string spec);

    // Totals since the window began: the latest values go into the next commit.
    void set_window(ledger::Window window);
    void set_requests_completed(std::uint64_t completed);
    void set_http(const ledger::HttpSeen& seen);
    void set_paths(std::vector<ledger::PathTotals> paths, std::vector<ledger::SitePath> site_paths);
    void set_lifetimes(const ledger::Lifetimes& lifetimes);
    void set_attribution(std::uint64_t attributed_events, std::uint64_t unattributed_events);
    void set_counts(ledger::Counts counts);
    void set_losses(ledger::Losses losses);
    void set_overhead(ledger::Overhead overhead);
    void set_notes(std::vector<std::string> notes);

    /// The same frame always has the same id. Long names are cut; behind 128 MiB of names frames
    /// have none and count as losses.unnamed_frames.
    FrameId add_frame(const ledger::Frame& frame);
    /// Ids may come in any order and with gaps; the second stack of an id is ignored. Sites may
    /// name stacks that are added later or never (they are shown as unknown). Stack 0 is there.
    void add_stack(const ledger::Stack& stack);
    void add_stack(StackId id, std::uint32_t flags, const std::vector<ledger::Frame>& frames);

    /// A record of the ring; nothing happens unless raw events are kept.
    void add_raw_event(Bytes record);
    /// How raw events name this stack.
    void add_raw_stack(StackId stack, std::uint64_t key);

    /// In the order in which they ended.
    void add_request(const ledger::Request& request);
    /// In the order of time; of two entries for one site (kind and stack) the second is ignored.
    void add_epoch(ledger::EpochRecord record);
    void add_sample(const ledger::ProcSample& sample);
    /// `arenas` take the place of those of the reading before.
    void add_reading(const ledger::Reading& reading, std::vector<ledger::Arena> arenas);
    void add_reach(const ledger::ReachReading& reach);

    /// Error: the file can no longer be written; comes once, from then on the trace is kept in
    /// memory. An error that comes again means that memory failed, too.
    Status commit();

    /// Everything up to the last commit, read back from the trace itself. With what report FILE
    /// shows it agrees byte for byte once finish() was called.
    Result<ledger::Recording> read();

    /// Commits, marks the trace as finished and leaves one file. Call once; read() still works.
    /// Error: the file is incomplete; names it and what is missing.
    Status finish();

  private:
    class State;
    explicit Writer(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace asrtrace::trace
