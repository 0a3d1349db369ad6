#!/usr/bin/env python3
"""Makes tests/parity/fixtures/{rnn_lm,gru_lm,lstm_lm,tagger}.npz with PyTorch 2.15; members as
make_fixtures.py says. The tagger's inputs have padded sentences, whose targets are ignored."""
import os

import numpy
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

FIXTURES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")


class RecurrentLm(nn.Module):
    """models/language/recurrent_lm.h"""

    def __init__(self, kind, vocabulary, embedding, width, layers):
        super().__init__()
        self.token = nn.Embedding(vocabulary, embedding)
        self.recurrent = getattr(nn, kind)(embedding, width, layers, batch_first=True)
        self.head = nn.Linear(width, vocabulary)

    def forward(self, index):
        return self.head(self.recurrent(self.token(index))[0])


class Tagger(nn.Module):
    """models/language/tagger.h"""

    def __init__(self, words, characters, tags, word_width, character_width, filters, width):
        super().__init__()
        self.word = nn.Embedding(words, word_width)
        self.character = nn.Embedding(characters, character_width)
        self.spelling = nn.Conv1d(character_width, filters, 3, padding=2)
        self.recurrent = nn.LSTM(word_width + filters, width, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * width, tags)

    def forward(self, x):
        words, letters = x[:, :, 0], x[:, :, 1:]
        spelling = self.spelling(self.character(letters.flatten(0, 1)).transpose(1, 2))
        spelling = spelling.max(2).values.view(*words.shape, -1)
        lengths = (words != 0).sum(1)
        packed = pack_padded_sequence(torch.cat([self.word(words), spelling], 2), lengths,
                                      batch_first=True, enforce_sorted=False)
        states = pad_packed_sequence(self.recurrent(packed)[0], batch_first=True,
                                     total_length=x.shape[1])[0]
        return self.head(states)


def ours(name):
    """recurrent.weight_ih_l0_reverse -> recurrent.layer0_reverse.weight_ih"""
    path, parameter = name.rsplit(".", 1)
    if "_l" not in parameter:
        return name
    kind, layer = parameter.split("_l")
    return f"{path}.layer{layer}.{kind}"


def values(name, tensor):
    """A convolution's [O, I, K] is [O, K, I] here."""
    array = tensor.detach().numpy()
    return (array.transpose(0, 2, 1) if name == "spelling.weight" else array).copy()


def train(name, network, inputs, targets):
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    arrays = {"inputs": inputs.numpy().astype(numpy.int32),
              "targets": targets.numpy().astype(numpy.int32)}
    for key, parameter in network.named_parameters():
        arrays["weight/" + ours(key)] = values(key, parameter)
    losses = []
    for step in range(20):
        batch = step % len(inputs)
        logits = network(inputs[batch])
        loss = F.cross_entropy(logits.flatten(0, 1), targets[batch].flatten())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if step == 0:
            for key, parameter in network.named_parameters():
                arrays["gradient/" + ours(key)] = values(key, parameter.grad)
        optimizer.step()
        losses.append(loss.item())
    with torch.no_grad():
        arrays["logits"] = network(inputs[0]).numpy()
    arrays["losses"] = numpy.array(losses, dtype=numpy.float64)
    path = os.path.join(FIXTURES, name + ".npz")
    numpy.savez_compressed(path, **arrays)
    print(f"{name}: loss {losses[0]:.4f} -> {losses[-1]:.4f}, {os.path.getsize(path)} bytes")


def main():
    torch.set_num_threads(1)
    for kind in ("RNN", "GRU", "LSTM"):
        torch.manual_seed(3)
        start = torch.randint(20, (3, 6, 1))
        stride = torch.randint(1, 4, (3, 6, 1))
        tokens = (start + stride * torch.arange(13)) % 20  # counts on in steps of 1 to 3
        train(kind.lower() + "_lm", RecurrentLm(kind, 20, 12, 16, 2), tokens[..., :-1],
              tokens[..., 1:])

    torch.manual_seed(4)
    words = torch.randint(1, 30, (3, 5, 7))
    letters = torch.randint(0, 20, (3, 5, 7, 5))
    targets = (letters[..., -1] + words) % 4
    for sentence in range(1, 5):
        words[:, sentence, 7 - sentence:] = 0
        letters[:, sentence, 7 - sentence:] = 0
        targets[:, sentence, 7 - sentence:] = -100
    train("tagger", Tagger(30, 20, 4, 6, 4, 5, 7), torch.cat([words[..., None], letters], 3),
          targets)


if __name__ == "__main__":
    main()
