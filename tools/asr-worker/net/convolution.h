// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
//
// One convolution by oneDNN, done the way PyTorch does a Conv1d on a CPU: as a 2-D convolution of
// height 1 with layouts of oneDNN's own choice (format_tag::any), the input and the weights
// reordered into them on every call where they differ, the scratchpad given by the caller, all of
// it created anew for every call. Hence oneDNN's cache of primitives is keyed by the input's length
// and grows with every length that is new. (Its 1-D convolutions with format_tag::any pick an
// implementation that keeps 8 MB per cached primitive.)
#pragma once

#include <dnnl.hpp>

#include "net/aligned_buffer.h"
#include "net/weights.h"

namespace asr {

/// conv(x): [layer.in][n] -> [layer.out][n / layer.stride]. n must be a multiple of the stride.
/// Throws dnnl::error and std::bad_alloc.
Tensor convolve(const Layer& layer, const Tensor& input, const dnnl::engine& engine,
                dnnl::stream& stream);

}  // namespace asr
