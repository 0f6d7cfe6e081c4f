// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The verb `census` alone, for the heap's live tests.
#include <CLI/CLI.hpp>

#include <exception>
#include <iostream>

#include "tools/asrtrace/census.h"

int main(int argc, char** argv) {
    int exit_status = 0;
    CLI::App app("The census alone.", "asrtrace");
    app.require_subcommand(1);
    asrtrace::add_census(app, exit_status);
    try {
        app.parse(argc, argv);
    } catch (const CLI::Success& asked) {
        return app.exit(asked);
    } catch (const CLI::ParseError& wrong) {
        app.exit(wrong);
        return 2;
    } catch (const std::exception& error) {
        std::cerr << "asrtrace: " << error.what() << '\n';
        return 2;
    }
    return exit_status;
}
