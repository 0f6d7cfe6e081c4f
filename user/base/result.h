// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What can go wrong is returned: Result<T> holds a value or an Error whose message names the thing,
// the reason and, where there is one, the remedy. Broken invariants abort instead.
#pragma once

#include <cstdlib>
#include <string>
#include <utility>
#include <variant>

namespace asrtrace {

struct Error {
    std::string message;
};

/// "what: strerror(errno)"; reads errno first thing.
Error errno_error(const std::string& what);
Error errno_error(const std::string& what, int error_number);

template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

    bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    /// Precondition: ok(). Aborts otherwise: an unchecked result is a bug of ours.
    T& value() & { return check(), std::get<0>(state_); }
    const T& value() const& { return check(), std::get<0>(state_); }
    T&& value() && { return check(), std::get<0>(std::move(state_)); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    /// Precondition: !ok().
    const Error& error() const {
        if (ok()) std::abort();
        return std::get<1>(state_);
    }

  private:
    void check() const {
        if (!ok()) std::abort();
    }
    std::variant<T, Error> state_;
};

struct Unit {};
using Status = Result<Unit>;
inline Status ok_status() {
    return Unit{};
}

}  // namespace asrtrace
