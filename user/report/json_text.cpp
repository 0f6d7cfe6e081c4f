// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
#include "user/report/json_text.h"

#include "user/base/escape.h"

namespace asrtrace::report {
namespace {

using Json = nlohmann::ordered_json;

void escape_texts(Json& node) {
    if (node.is_string()) node = escape_invalid(node.get_ref<const std::string&>());
    if (!node.is_structured()) return;
    for (Json& child : node) escape_texts(child);
}

}  // namespace

std::string json_text(Json document) {
    escape_texts(document);
    return document.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace asrtrace::report
