#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
"""Trains the worker's network on directories written by asr-speak and saves a torch checkpoint.

    train.py --train DIR [--train DIR] --check DIR --minutes 20 --out digits.pt

Needs Debian's python3-torch and python3-numpy. `export.py` turns the checkpoint into the weights.
"""
import argparse
import glob
import random
import time
import wave

import numpy as np
import torch

from network import FRAME, VOCABULARY, Network, greedy, normalise

BATCH_SECONDS = 40.0


def read_directory(directory):
    """[(int16 samples, transcript)]"""
    out = []
    for path in sorted(glob.glob(directory + "/*.wav")):
        with wave.open(path) as file:
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype=np.int16)
        with open(path[:-4] + ".txt", encoding="ascii") as file:
            out.append((samples, file.read().strip()))
    return out


def augment(samples, rng):
    """Speed (with pitch), spectral tilt, noise, leading and trailing silence, at random."""
    x = samples.astype(np.float32) / 32768.0
    if rng.random() < 0.5:
        factor = rng.uniform(0.88, 1.14)
        positions = np.arange(0, len(x) - 1, factor)
        x = np.interp(positions, np.arange(len(x)), x).astype(np.float32)
    lead, trail = rng.integers(0, 3200, 2)
    x = np.pad(x, (int(lead), int(trail)))
    if rng.random() < 0.5:
        tilt = rng.uniform(-0.6, 0.6)
        x[1:] = x[1:] - tilt * x[:-1]
    if rng.random() < 0.8:
        noise = rng.standard_normal(len(x)).astype(np.float32)
        if rng.random() < 0.5:  # brownish
            noise = np.convolve(noise, np.ones(8, np.float32) / 8, "same")
        power = np.sqrt(np.mean(x * x) / (np.mean(noise * noise) + 1e-9))
        x = x + noise * power * 10 ** (-rng.uniform(8, 45) / 20)
    return x


def collate(items):
    longest = max(len(x) for x, _ in items)
    longest += -longest % FRAME
    samples = torch.zeros(len(items), longest)
    for row, (x, _) in enumerate(items):
        samples[row, :len(x)] = normalise(torch.from_numpy(x))
    frames = torch.tensor([(len(x) + FRAME - 1) // FRAME for x, _ in items])
    labels = [[VOCABULARY.index(c) for c in text] for _, text in items]
    return (samples, frames, torch.tensor(sum(labels, [])),
            torch.tensor([len(label) for label in labels]))


def batches(data, rng):
    """Utterances of about equal length together, about BATCH_SECONDS a batch, in random order."""
    # Not too equal: a batch's norm statistics should not depend on the length.
    order = sorted(range(len(data)), key=lambda i: len(data[i][0]) * rng.uniform(0.6, 1.6))
    longest = 0
    out, batch = [], []
    for i in order:
        longest = max(longest, len(data[i][0]))
        if batch and (len(batch) + 1) * longest / 16000 > BATCH_SECONDS:
            out.append(batch)
            batch, longest = [], len(data[i][0])
        batch.append(i)
    out.append(batch)
    random.shuffle(out)
    return out


def edits(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        previous, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            previous, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, previous + (x != y))
    return row[-1]


def character_error_rate(network, data):
    network.eval()
    wrong = total = 0
    with torch.no_grad():
        for samples, text in data:
            samples, _, _, _ = collate([(samples.astype(np.float32) / 32768.0, text)])
            wrong += edits(text, greedy(network(samples)[0]))
            total += len(text)
    network.train()
    return wrong / total


def freeze_norms(network):
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm1d):
            module.eval()


def learning_rate(done, peak):
    """Warm-up over the first 5 %, cosine to nearly zero at the end of the time given."""
    if done < 0.05:
        return peak * (done / 0.05 + 0.02)
    return peak * (0.5 + 0.5 * np.cos(np.pi * min(1.0, (done - 0.05) / 0.95))) + 1e-6


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", action="append", required=True)
    parser.add_argument("--check", required=True)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--freeze-at", type=float, default=0.6, help="share of the time after which "
                        "the batch norms keep their statistics, as they will in the worker; without "
                        "it short utterances, rare in a batch's statistics, suffer")
    parser.add_argument("--resume", help="start from this checkpoint")
    parser.add_argument("--restart-layer", type=int, help="context layer to begin anew, nearly as identity")
    parser.add_argument("--freeze-encoder", action="store_true", help="train the context layers only")
    parser.add_argument("--out", required=True)
    args = parser.parse_args()

    torch.set_num_threads(args.threads)
    torch.manual_seed(args.seed)
    random.seed(args.seed)
    rng = np.random.default_rng(args.seed)
    data = [item for directory in args.train for item in read_directory(directory)]
    check = read_directory(args.check)
    network = Network()
    if args.resume:
        network.load_state_dict(torch.load(args.resume))
    if args.restart_layer is not None:
        conv, norm = network.residual[args.restart_layer]
        conv.reset_parameters()
        norm.reset_parameters()
        torch.nn.init.constant_(norm.weight, 0.1)  # not 0: ReLU would never wake up
    network.encoder.requires_grad_(not args.freeze_encoder)
    print(f"{sum(p.numel() for p in network.parameters())} parameters, {len(data)} utterances, "
          f"{sum(len(x) for x, _ in data) / 16000:.0f} s", flush=True)
    trained = [p for p in network.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=args.rate, weight_decay=1e-2)
    loss_of = torch.nn.CTCLoss(zero_infinity=True)

    start, step, epoch, recent, last_check = time.time(), 0, 0, [], time.time()
    done = 0.0
    while done < 1.0:
        epoch += 1
        for batch in batches(data, rng):
            done = (time.time() - start) / (args.minutes * 60)
            if done >= 1.0:
                break
            samples, frames, labels, lengths = collate(
                [(augment(data[i][0], rng), data[i][1]) for i in batch])
            if args.freeze_encoder:
                freeze_norms(network.encoder)
            if done >= args.freeze_at:
                freeze_norms(network)
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(done, args.rate)
            logits = network(samples).permute(2, 0, 1).log_softmax(-1)
            loss = loss_of(logits, labels, frames, lengths)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(trained, 1.0)
            optimiser.step()
            recent = (recent + [loss.item()])[-50:]
            step += 1
            if time.time() - last_check > 60:
                last_check = time.time()
                print(f"{done:5.1%} epoch {epoch} step {step} loss {np.mean(recent):.3f} "
                      f"CER {character_error_rate(network, check[:40]):.3f}", flush=True)
                torch.save(network.state_dict(), args.out)
    torch.save(network.state_dict(), args.out)
    print(f"held-out CER {character_error_rate(network, check):.4f} ({len(check)} utterances)")


if __name__ == "__main__":
    main()
