"""PyTorch on the encoder that clmex trains: seconds a step of multi-view contrast, forward, backward
and AdamW, over random crops. Reads the network and the batch as JSON on stdin; prints JSON."""

import json
import sys
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.first = convolution(width, width, 1)
        self.second = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x):
        return F.relu(x + self.norm(self.second(self.first(x))))


def convolution(channels, width, stride, kernel=3):
    layer = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(width, eps=1e-3), nn.ReLU())


def network(spec):
    layers, channels, side = [], 1, spec["size"]
    for width, blocks in zip(spec["widths"], spec["blocks"]):
        layers.append(convolution(channels, width, 2))
        layers += [Block(width) for _ in range(blocks)]
        channels, side = width, side // 2
    layers += [convolution(channels, spec["squeeze"], 1, 1), nn.Flatten()]
    layers.append(nn.Linear(spec["squeeze"] * side * side, spec["embedding"]))
    return nn.Sequential(*layers)


def contrast(rows, groups, temperature=0.1):
    rows = F.normalize(rows)
    logits = rows @ rows.T / temperature
    logits = logits.masked_fill(torch.eye(len(rows), dtype=torch.bool), -1e9)
    positive = (groups[:, None] == groups[None]) & ~torch.eye(len(rows), dtype=torch.bool)
    return -(F.log_softmax(logits, 1) * positive).sum(1).div(positive.sum(1)).mean()


def main():
    given = json.load(sys.stdin)
    torch.set_num_threads(given["threads"])
    torch.manual_seed(1)
    rows, groups = given["rows"], torch.tensor(given["groups"])
    encoder = network(given["network"])
    head = nn.Sequential(nn.Linear(given["network"]["embedding"], 128), nn.ReLU(), nn.Linear(128, 64))
    optimiser = torch.optim.AdamW([*encoder.parameters(), *head.parameters()], lr=1e-3)
    images = torch.randn(rows, 1, given["network"]["size"], given["network"]["size"])
    seconds = []
    for _ in range(given["steps"] + 2):
        started = time.perf_counter()
        optimiser.zero_grad()
        contrast(head(F.normalize(encoder(images))), groups).backward()
        optimiser.step()
        seconds.append(time.perf_counter() - started)
    print(json.dumps({"torch": torch.__version__, "secondsPerStep": sorted(seconds[2:])[given["steps"] // 2]}))


main()
