#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Turns a checkpoint of train.py into the worker's weights file and, if asked, a reference for tests.

    export.py digits.pt digits.asrnet [--reference logits.bin --wav x.wav]

The layout of the weights is described in net/weights.h. The reference holds, little endian:
u32 samples, u32 classes, u32 frames, f32 samples as read from the WAV, f32 logits [classes][frames].
"""
import argparse
import struct
import wave
import zlib

import numpy as np
import torch

from network import FRAME, SAMPLE_RATE, VOCABULARY, Network, export_layers, normalise, pad_to_frame


def floats(tensor):
    return np.ascontiguousarray(tensor.detach().numpy(), dtype="<f4").tobytes()


def weights_file(network):
    layers = export_layers(network)
    out = b"ASRNET\r\n" + struct.pack("<5I", 1, SAMPLE_RATE, FRAME, len(VOCABULARY), len(layers))
    out += VOCABULARY.encode("ascii")
    for kind, stride, dilation, pad, weight, bias in layers:
        width_out, width_in, kernel = weight.shape
        out += struct.pack("<8I", kind, width_out, width_in, kernel, stride, dilation, pad, pad)
        out += floats(weight) + floats(bias)
    return out + struct.pack("<I", zlib.crc32(out))


def reference_file(network, path):
    with wave.open(path) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    samples = torch.from_numpy(samples.astype(np.float32) / 32768.0)
    with torch.no_grad():
        logits = network(pad_to_frame(normalise(samples))[None])[0]
    header = struct.pack("<3I", len(samples), *logits.shape)
    return header + floats(samples) + floats(logits)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("weights")
    parser.add_argument("--reference")
    parser.add_argument("--wav")
    args = parser.parse_args()
    network = Network()
    network.load_state_dict(torch.load(args.checkpoint))
    network.eval()
    with open(args.weights, "wb") as file:
        file.write(weights_file(network))
    if args.reference:
        with open(args.reference, "wb") as file:
            file.write(reference_file(network, args.wav))


if __name__ == "__main__":
    main()
