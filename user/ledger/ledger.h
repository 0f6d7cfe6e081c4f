// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The ledger turns events into accounts: what is alive, who made it, which request it belonged to
// and whether it outlived that request. It takes no clock and does no I/O: the same events give the
// same records, whenever and wherever.
//
// One ledger serves the target and its followed children: within it an address carries its
// process's number above bit 47, where no user address reaches, so that blocks of two processes
// never meet. Readings of the heap are the target's own.
//
//   Event --apply--> LiveBlocks, Mappings, Requests --> Sites --close_epoch--> EpochRecord
//                                             `--end--> Request
#pragma once

#include <tsl/robin_set.h>

#include <array>
#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <regex>
#include <set>
#include <vector>

#include "user/base/maps.h"
#include "user/decode/event.h"
#include "user/ledger/apportion.h"
#include "user/ledger/blocks.h"
#include "user/ledger/lifetimes.h"
#include "user/ledger/mappings.h"
#include "user/ledger/marking.h"
#include "user/ledger/paths.h"
#include "user/ledger/recording.h"
#include "user/ledger/requests.h"
#include "user/ledger/sites.h"
#include "user/ledger/unmap_debts.h"

namespace asrtrace::ledger {

struct LedgerConfig {
    std::uint64_t start_ns = 0;                   ///< CLOCK_MONOTONIC of the window's beginning
    std::uint64_t sample_mean_bytes = 0;          ///< of sampled allocations; 0: none are sampled
    std::uint64_t fault_mean_bytes = 1;           ///< of sampled faults
    std::uint64_t interval_ns = 0;                ///< every:SECONDS; 0: requests come as events
    bool follow = false;                          ///< children are followed; exec ends no run
    std::optional<std::regex> path_exclude{};     ///< requests of such paths do not count
    std::uint64_t epoch_ns = 250'000'000;         ///< an epoch is at least that long ...
    std::uint64_t idle_epoch_ns = 5'000'000'000;  ///< ... and without requests that long
};

/// What has become final since the last call of take_output().
struct LedgerOutput {
    std::vector<EpochRecord> epochs;
    std::vector<Request> requests;
    /// Keys of stacks seen for the first time; their StackIds follow on from the ones before,
    /// from 1.
    std::vector<decode::StackKey> stacks;
    /// Processes that mapped executable memory: symbols need a look at their maps.
    std::set<decode::ProcessNumber> code_mapped;
};

class Ledger {
  public:
    explicit Ledger(const LedgerConfig& config);

    /// The address space somewhen from `begin_ns` to `end_ns`; mapping events from before are left
    /// out.
    void seed_mappings(const std::vector<MapsEntry>& maps, std::uint64_t begin_ns,
                       std::uint64_t end_ns);
    /// What is mapped, as far as the ledger was told.
    std::uint64_t mapped_bytes() const { return mappings_.bytes(); }

    void apply(const decode::Event& event);
    /// Time passes without events: closes intervals and epochs that are due.
    void tick(std::uint64_t now_ns);
    /// The window ends: what is pending is taken as not having happened, the last epoch closes.
    void finish(std::uint64_t now_ns);

    /// Allocations are seen again from now on; they are from the beginning.
    void open_window(std::uint64_t now_ns);
    /// Allocations and frees are not seen until the next window: what sites hold is estimated from
    /// now on, by what read_heap() tells.
    void close_window(std::uint64_t now_ns);
    /// The heap's live chunks; `quiet`: no request was in flight.
    void read_heap(const std::vector<ClassLevel>& levels, bool quiet);

    /// Serial of the newest block: what a reading of the heap that begins now can know of.
    std::uint64_t serial() const { return serial_; }
    /// Who allocated the block at `address`; the unknown stack if its birth was not seen.
    StackId stack_of(std::uint64_t address);
    /// Address and size as asked of the target's own blocks that outlived their request, in no
    /// order.
    std::vector<std::pair<std::uint64_t, std::uint64_t>> outlived_blocks() const;
    /// Takes in the next blocks of a marking, `most` of them; true if these were the last. Events
    /// may be applied in between. Blocks of requests that still run are left out: their pointers
    /// may be on the way.
    bool book(Marking& marking, std::size_t most = std::numeric_limits<std::size_t>::max());

    LedgerOutput take_output();

    /// Adds what the ledger counted (bytes, blocks, mappings) to what the kernel side counted.
    void add_counts(Counts& counts) const;
    std::uint64_t events_attributed() const { return attributed_; }
    std::uint64_t events_unattributed() const { return unattributed_; }
    std::uint64_t requests_completed() const { return requests_.completed(); }
    std::uint64_t requests_unknown() const { return requests_.unknown(); }
    std::uint64_t requests_aborted() const { return requests_.aborted(); }
    std::uint64_t requests_excluded() const { return requests_.excluded(); }
    /// Without blocks, bytes and lifetimes, as site_paths() and lifetimes() are, once a window has
    /// been closed: what was not seen of a block is not told by path.
    std::vector<PathTotals> path_totals() const { return paths_.totals(); }
    std::vector<SitePath> site_paths() const;
    Lifetimes lifetimes() const { return lifetimes_.rounded(); }
    /// Blocks whose free was never seen: another block took their address.
    std::uint64_t missed_frees() const { return missed_frees_; }
    std::uint64_t live_blocks() const { return live_.size(); }
    std::uint32_t in_flight() const { return requests_.in_flight(); }

  private:
    static constexpr unsigned kProcessShift = 48;

    /// A block or mapping that a call under way may end, by thread.
    struct PendingBlock {
        std::uint64_t address = 0;
        Block block;
    };

    void on(const decode::Event& event, const decode::Alloc& alloc);
    void on(const decode::Event& event, const decode::Free& free);
    void on(const decode::Event& event, const decode::ReallocBegin& begin);
    void on(const decode::Event& event, const decode::ReallocEnd& end);
    void on(const decode::Event& event, const decode::Map& map);
    void on(const decode::Event& event, const decode::UnmapBegin& begin);
    void on(const decode::Event& event, const decode::UnmapEnd& end);
    void on(const decode::Event& event, const decode::Unmap& unmap);
    void on(const decode::Event& event, const decode::Remap& remap);
    void on(const decode::Event& event, const decode::Brk& brk);
    void on(const decode::Event& event, const decode::Advise& advise);
    void on(const decode::Event& event, const decode::Fault& fault);
    void on(const decode::Event& event, const decode::RequestMark& mark);
    void on(const decode::Event& event, const decode::HttpMark& mark);
    void on(const decode::Event& event, const decode::NewStack& stack);
    void on(const decode::Event& event, const decode::Task& task);

    /// An address of the process whose event is being applied.
    std::uint64_t here(std::uint64_t address) const;
    /// The process is no more, or runs another program: what it held is gone.
    void end_process(decode::ProcessNumber process);
    double probability(const Block& block) const;
    Amount weighed(const Block& block) const;
    Interval score_interval() const;
    StackId stack_id(decode::StackKey key);
    /// Whose an event is.
    struct Charged {
        Cohort& cohort;
        PathIndex path = 0;
        bool to_request = false;
    };
    /// Whom an event of this thread belongs to; counts the event as (un)attributed.
    Charged charge(std::uint32_t tid, std::uint64_t allocated_bytes);
    void add_block(std::uint32_t tid, std::uint64_t address, std::uint64_t size,
                   decode::StackKey stack, decode::Sampling sampling);
    void free_block(const Block& block);
    /// The block is no more, or there again: in the accounts of sites, paths and lifetimes.
    void let_go(const Block& block);
    void take_back(const Block& block);
    std::uint64_t ended_since(const Block& block) const;
    void end_http(ActiveRequest request, bool served);
    bool excludes(std::string_view path) const;
    void add_region(std::uint32_t tid, std::uint64_t begin, std::uint64_t end,
                    decode::StackKey stack, bool anonymous);
    void remove_range(std::uint64_t begin, std::uint64_t end);
    void make_room(const decode::Event& event, std::uint64_t begin, std::uint64_t end,
                   bool replaces);
    struct Taken {
        std::vector<Region> pieces;    ///< in order
        std::uint64_t owed_bytes = 0;  ///< of them: are counted as unmapped already
    };
    Taken take_range(const decode::Event& event, std::uint64_t begin, std::uint64_t end);
    void account_removed(const std::vector<Region>& pieces);
    /// The call never came to its end, or failed: what it took away is there again.
    void restore_realloc(std::uint32_t tid);
    void restore_reallocs();
    void restore_unmap(std::uint32_t tid);
    void mark_age(std::uint64_t now_ns);
    tsl::robin_set<std::uint64_t> running_blocks() const;
    void end_witness(std::uint64_t address);
    void book_by_class(Marking& marking);
    void lose(const LostBlock& lost, Marking& marking);
    void find_again(const Marking& marking);
    void apply_estimates();
    void end_remap(const decode::Event& event, const decode::Remap& remap);
    void move_mapping(const decode::Event& event, const decode::Remap& remap,
                      const std::vector<Region>& old);
    std::uint64_t outlive(const Cohort& cohort);
    void finish_request(ActiveRequest request);
    void note_args(const Request& request);
    void advance(std::uint64_t now_ns);
    void advance_interval(std::uint64_t now_ns);
    void close_epoch(std::uint64_t now_ns);
    std::uint64_t since_start(std::uint64_t time_ns) const;

    LedgerConfig config_;
    Sites sites_;
    LiveBlocks live_;
    Mappings mappings_;
    UnmapDebts unmap_debts_;
    Requests requests_;
    Paths paths_;
    LifetimeSums lifetimes_;
    Cohort orphans_, old_orphans_;  ///< of this epoch and of the one before

    std::array<tsl::robin_set<std::uint64_t>, 2> args_seen_;
    tsl::robin_map<decode::StackKey, StackId> stack_ids_;
    tsl::robin_map<std::uint32_t, PendingBlock> pending_reallocs_;
    tsl::robin_map<std::uint32_t, std::vector<Region>> pending_unmaps_;

    bool window_open_ = true;
    bool windowed_ = false;  ///< a window has been closed: levels are estimates
    std::uint64_t window_opened_ns_;
    std::deque<std::pair<std::uint64_t, std::uint64_t>> marks_;  ///< time, newest serial
    Apportioner apportioner_;
    tsl::robin_map<std::uint64_t, Block> witnesses_;  ///< survivors of windows, by address

    LedgerOutput output_;
    Counts counts_;
    double sampled_bytes_ = 0, sampled_variance_ = 0;
    std::set<decode::ProcessNumber> alive_{0};
    decode::ProcessNumber process_ = 0;  ///< of the event being applied
    std::uint64_t serial_ = 0;
    std::uint64_t seeded_ns_ = 0, seed_end_ns_ = 0;
    std::uint64_t epoch_begin_ns_ = 0, epoch_requests_ = 0;
    std::uint64_t interval_end_ns_ = 0;
    std::uint64_t attributed_ = 0, unattributed_ = 0;
    std::uint64_t missed_frees_ = 0;
    std::uint64_t now_ns_ = 0;
};

}  // namespace asrtrace::ledger
