// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// How --help is laid out: descriptions broken to lines that fit a terminal.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace asrtrace {

/// No line is wider than 100 columns, unless one word or the name of an option is.
class HelpFormatter : public CLI::Formatter {
  public:
    std::string make_option_desc(const CLI::Option* option) const override;
    std::string make_subcommand(const CLI::App* verb) const override;
};

}  // namespace asrtrace
