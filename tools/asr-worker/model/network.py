# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""The network: strided convolutions over raw 16 kHz audio, then dilated residual convolutions, CTC.

FRAME samples give one frame (50 a second). Every convolution is followed by a batch norm, which
`export_layers` folds into weights and bias, so that the worker only knows convolutions and ReLU.
"""
import torch
from torch import nn

SAMPLE_RATE = 16000
FRAME = 320
BLANK = "_"
VOCABULARY = BLANK + " abcdefghijklmnopqrstuvwxyz"

# channels out, kernel, stride; padding is (kernel - stride) / 2 on both sides, so that n samples,
# n a multiple of FRAME, give exactly n / FRAME frames.
ENCODER = [(64, 11, 5), (64, 8, 4), (128, 8, 4), (128, 4, 4)]
# A frame sees 1.3 s: with half of it, slow words at the end of a sentence were spelled twice.
DILATIONS = [1, 2, 4, 8, 16, 1]
RESIDUAL_KERNEL = 3

KIND_CONV_RELU, KIND_RESIDUAL_CONV_RELU, KIND_CONV = 0, 1, 2


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        encoder, channels = [], 1
        for out, kernel, stride in ENCODER:
            pad = (kernel - stride) // 2
            encoder.append(nn.Sequential(
                nn.Conv1d(channels, out, kernel, stride, pad, bias=False), nn.BatchNorm1d(out)))
            channels = out
        self.encoder = nn.ModuleList(encoder)
        self.residual = nn.ModuleList(
            nn.Sequential(nn.Conv1d(channels, channels, RESIDUAL_KERNEL, 1, d, d, bias=False),
                          nn.BatchNorm1d(channels)) for d in DILATIONS)
        self.dropout = nn.Dropout(0.1)
        self.output = nn.Conv1d(channels, len(VOCABULARY), 1)

    def encode(self, samples):
        x = samples.unsqueeze(1)
        for layer in self.encoder:
            x = torch.relu(layer(x))
        return x

    def forward(self, samples):
        """samples: (batch, n), n a multiple of FRAME, normalised; logits: (batch, classes, n/FRAME)"""
        # A frozen encoder needs no gradients: a step costs a third.
        frozen = not next(self.encoder.parameters()).requires_grad
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            x = self.encode(samples)
        for layer in self.residual:
            x = x + torch.relu(layer(self.dropout(x)))
        return self.output(self.dropout(x))


def normalise(samples):
    """Zero mean, unit variance over the real samples, as wav2vec2's feature extractor does."""
    samples = samples - samples.mean()
    return samples / (samples.std() + 1e-5)


def pad_to_frame(samples):
    pad = -len(samples) % FRAME
    return torch.nn.functional.pad(torch.as_tensor(samples), (0, pad))


def greedy(logits):
    """logits (classes, frames) -> text: best class a frame, repeats merged, blanks dropped."""
    text, previous = "", 0
    for best in logits.argmax(0).tolist():
        if best != previous and best != 0:
            text += VOCABULARY[best]
        previous = best
    return " ".join(text.split())


def export_layers(network):
    """[(kind, stride, dilation, pad, weight, bias)] with the batch norms folded in."""
    def fold(sequence):
        conv, norm = sequence
        scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        return conv.weight * scale[:, None, None], norm.bias - norm.running_mean * scale

    layers = []
    for sequence, (_, kernel, stride) in zip(network.encoder, ENCODER):
        layers.append((KIND_CONV_RELU, stride, 1, (kernel - stride) // 2, *fold(sequence)))
    for sequence, dilation in zip(network.residual, DILATIONS):
        layers.append((KIND_RESIDUAL_CONV_RELU, 1, dilation, dilation, *fold(sequence)))
    layers.append((KIND_CONV, 1, 1, 0, network.output.weight, network.output.bias))
    return layers
