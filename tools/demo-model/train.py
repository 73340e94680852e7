"""Trains the demo Paraformer on what prepare.py made, with FunASR's own model class. See README.md.

usage: train.py WORK [--minutes 75] [--width 192] [--feed-forward 576] [--encoder-blocks 6] [--decoder-blocks 3]
writes WORK/trained.pt: weights, sizes, tokens, mean and deviation of the features
"""
import argparse
import collections
import logging
import math
import pathlib
import pickle
import random
import sys
import time

import numpy as np
import torch
from funasr.models.paraformer.model import Paraformer

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from score import edit_distance

BATCH_ROWS = 2400  # LFR rows, 60 ms each
KINDS = ("zh", "digits", "prompts")


def model_sizes(args):
    common = {"linear_units": args.feed_forward, "attention_heads": 4, "dropout_rate": 0.0, "positional_dropout_rate": 0.0,
              "kernel_size": 11, "sanm_shfit": 0}
    encoder = {**common, "output_size": args.width, "num_blocks": args.encoder_blocks, "attention_dropout_rate": 0.0,
               "input_layer": "pe", "pos_enc_class": "SinusoidalPositionEncoder", "normalize_before": True,
               "selfattention_layer_type": "sanm"}
    decoder = {**common, "num_blocks": args.decoder_blocks, "att_layer_num": args.decoder_blocks,
               "self_attention_dropout_rate": 0.0, "src_attention_dropout_rate": 0.0}
    predictor = {"idim": args.width, "threshold": 1.0, "l_order": 1, "r_order": 1, "tail_threshold": 0.45}
    return {"encoder": "SANMEncoder", "encoder_conf": encoder, "decoder": "ParaformerSANMDecoder", "decoder_conf": decoder,
            "predictor": "CifPredictorV2", "predictor_conf": predictor}


def stack(frames):
    """Low frame rate: seven frames to a row, six apart."""
    rows = (len(frames) + 5) // 6
    index = np.clip(np.arange(rows)[:, None] * 6 + np.arange(7)[None] - 3, 0, len(frames) - 1)
    return frames[index].reshape(rows, -1)


class Corpus:
    def __init__(self, records):
        # Characters that occur in fewer than eight Mandarin words cannot be learnt.
        count = collections.Counter(c for kind, split, words, speed, _ in records if kind == "zh" and speed == 1.0 for c in words)
        records = [r for r in records if r[0] != "zh" or (len(r[2]) <= 4 and all(count[c] >= 8 for c in r[2]))]
        characters = sorted({c for r in records if r[0] == "zh" for c in r[2]})
        english = sorted({word for r in records if r[0] != "zh" for word in r[2]})
        self.tokens = ["<blank>", "<s>", "</s>", *characters, *english, "<unk>"]
        self.ids = {token: i for i, token in enumerate(self.tokens)}
        self.train = [r for r in records if r[1] == "train"]
        self.train += [r for r in self.train if r[0] == "prompts"] * 2
        self.test = [r for r in records if r[1] == "test"]
        some = np.concatenate([r[4].astype("f4") for r in self.train[::7]])
        self.mean, self.deviation = some.mean(0), some.std(0)
        self.silence = np.concatenate([self.quiet_frames(r[4]) for r in self.train[::11]])

    @staticmethod
    def quiet_frames(frames):
        energy = frames.astype("f4").mean(1)
        return frames[energy < np.percentile(energy, 6)]

    def pause(self, count):
        base = self.silence[np.random.randint(len(self.silence))].astype("f4")
        return base[None] + np.random.randn(count, 80).astype("f4") * 0.7 - np.random.rand() * 2

    def normalise(self, rows):
        return (rows - np.tile(self.mean, 7)) / np.tile(self.deviation, 7)

    def utterance(self, records):
        """Recordings with random levels and pauses, over a noise floor in two of five."""
        parts, ids = [self.pause(np.random.randint(0, 30))], []
        for _, _, words, _, frames in records:
            parts += [frames.astype("f4") + np.random.uniform(-2.5, 1.5), self.pause(np.random.choice([0, 3, 8, 15, 30, 50]))]
            ids += [self.ids[word] for word in words]
        frames = np.concatenate(parts)
        if np.random.rand() < 0.4:
            frames = np.logaddexp(frames, np.random.uniform(3, 9) + np.random.randn(*frames.shape).astype("f4") * 0.8)
        return self.normalise(stack(frames)).astype("f4"), ids

    def epoch(self, longest):
        """Each recording in one of its speeds or so, strung into utterances of 1 to `longest`, batched by length."""
        order = np.random.permutation(len(self.train))[: len(self.train) // 3]
        utterances, at = [], 0
        while at < len(order):
            count = np.random.randint(1, longest + 1)
            rows, ids = self.utterance([self.train[i] for i in order[at : at + count]])
            if len(rows) > len(ids) + 2:
                utterances.append((spec_augment(rows), ids))
            at += count
        utterances.sort(key=lambda utterance: len(utterance[0]))
        batches = [[]]
        for utterance in utterances:
            batches[-1].append(utterance)
            if len(batches[-1]) * len(utterance[0]) >= BATCH_ROWS:
                batches.append([])
        batches = [batch for batch in batches if batch]
        random.shuffle(batches)
        return batches


def spec_augment(rows):
    for _ in range(2):
        width = np.random.randint(0, max(1, min(8, len(rows) // 8)))
        start = np.random.randint(0, max(1, len(rows) - width))
        rows[start : start + width] = 0
    bands = rows.reshape(len(rows), 7, 80)
    for _ in range(2):
        width = np.random.randint(0, 16)
        start = np.random.randint(0, 80 - width)
        bands[:, :, start : start + width] = 0
    return rows


def collate(batch):
    lengths, counts = [len(x) for x, _ in batch], [len(y) for _, y in batch]
    x, y = torch.zeros(len(batch), max(lengths), 560), torch.full((len(batch), max(counts)), -1)
    for i, (rows, ids) in enumerate(batch):
        x[i, : len(rows)], y[i, : len(ids)] = torch.tensor(rows), torch.tensor(ids)
    return x, torch.tensor(lengths), y, torch.tensor(counts)


@torch.no_grad()
def recognise(model, rows):
    encoded, lengths = model.encode(torch.tensor(rows)[None], torch.tensor([len(rows)]))
    acoustic, count = model.calc_predictor(encoded, lengths)[:2]
    count = count.round().long()
    if count.max() < 1:
        return []
    decoded = model.cal_decoder_with_predictor(encoded, lengths, acoustic, count)[0]
    return [i for i in decoded[0].argmax(-1).tolist()[: count[0]] if i > 2]


def evaluate(model, corpus, limit=None):
    """Per cent of wrong words (characters for zh) by kind."""
    model.eval()
    percent = {}
    for kind in KINDS:
        errors = total = 0
        for _, _, words, _, frames in [r for r in corpus.test if r[0] == kind][:limit]:
            padded = np.concatenate([corpus.pause(10), frames.astype("f4"), corpus.pause(10)])
            ids = [corpus.ids[word] for word in words]
            errors += edit_distance(ids, recognise(model, corpus.normalise(stack(padded)).astype("f4")))
            total += len(ids)
        percent[kind] = round(100 * errors / max(1, total), 1)
    model.train()
    return percent


def train(model, corpus, minutes):
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, betas=(0.9, 0.98), weight_decay=1e-2)
    started, step, epoch = time.time(), 0, 0
    model.train()
    while (progress := (time.time() - started) / (60 * minutes)) < 1:
        losses = []
        for batch in corpus.epoch(longest=1 if epoch < 2 else 5):
            step += 1
            progress = min(1, (time.time() - started) / (60 * minutes))
            rate = 1.2e-3 * min(step / 400, 1) * (0.5 * (1 + math.cos(math.pi * progress)) * 0.97 + 0.03)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            loss = model(*collate(batch))[0]
            if torch.isfinite(loss):
                loss.backward()
                torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
                optimizer.step()
                losses.append(float(loss))
        epoch += 1
        errors = evaluate(model, corpus, 200) if epoch % 6 == 0 else ""
        print(f"epoch {epoch}, {time.time() - started:.0f} s: loss {np.mean(losses):.3f} {errors}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("work", type=pathlib.Path)
    for name, default in (("minutes", 75), ("width", 192), ("feed-forward", 576), ("encoder-blocks", 6), ("decoder-blocks", 3)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()
    logging.disable(logging.CRITICAL)
    torch.set_num_threads(2)
    torch.manual_seed(1), random.seed(1), np.random.seed(1)

    with open(args.work / "features.pkl", "rb") as file:
        corpus = Corpus(pickle.load(file))
    sizes = model_sizes(args)
    model = Paraformer(**sizes, input_size=560, vocab_size=len(corpus.tokens), ctc_weight=0.3, lsm_weight=0.1,
                       length_normalized_loss=True, predictor_weight=1.0, predictor_bias=1, sampling_ratio=0.5)
    train(model, corpus, args.minutes)
    print("test set, per cent wrong:", evaluate(model, corpus))
    torch.save({"weights": model.state_dict(), "sizes": sizes, "tokens": corpus.tokens, "mean": corpus.mean.tolist(),
                "deviation": corpus.deviation.tolist()}, args.work / "trained.pt")


if __name__ == "__main__":
    main()
