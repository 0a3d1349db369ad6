#!/usr/bin/env python3
"""Makes tests/nn/fixtures/recurrent.npz with PyTorch 2.15: RNN, LSTM and GRU of two layers and two
directions on padded sequences, with first states. Members: lengths, and of each layer NAME/x,
hidden, cell (first states), output, final_hidden, final_cell, output_weight, final_weight,
gradient_x, weights/PATH and gradients/PATH by our names; the gradients are those of
sum(output output_weight) + sum(final_hidden final_weight)."""
import os

import numpy
import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

N, T, INPUTS, WIDTH = 3, 5, 4, 3
LENGTHS = torch.tensor([5, 2, 3])


def ours(name):
    """weight_ih_l0_reverse -> layer0_reverse.weight_ih"""
    kind, layer = name.split("_l")
    return f"layer{layer}.{kind}"


def main():
    torch.manual_seed(3)
    torch.set_default_dtype(torch.float64)
    arrays = {"lengths": LENGTHS.numpy()}
    for name in ("RNN", "LSTM", "GRU"):
        layer = getattr(torch.nn, name)(INPUTS, WIDTH, 2, batch_first=True, bidirectional=True)
        x = torch.randn(N, T, INPUTS, requires_grad=True)
        first = [torch.randn(4, N, WIDTH) for _ in range(2 if name == "LSTM" else 1)]
        packed = pack_padded_sequence(x, LENGTHS, batch_first=True, enforce_sorted=False)
        result, final = layer(packed, tuple(first) if name == "LSTM" else first[0])
        output = pad_packed_sequence(result, batch_first=True, total_length=T)[0]
        final = final if name == "LSTM" else (final,)
        output_weight, final_weight = torch.randn_like(output), torch.randn_like(final[0])
        ((output * output_weight).sum() + (final[0] * final_weight).sum()).backward()
        found = {"x": x, "output": output, "gradient_x": x.grad, "output_weight": output_weight,
                 "final_weight": final_weight}
        for kind, states in (("", first), ("final_", final)):
            for key, state in zip(("hidden", "cell"), states):
                found[kind + key] = state
        for key, parameter in layer.named_parameters():
            found["weights/" + ours(key)] = parameter
            found["gradients/" + ours(key)] = parameter.grad
        arrays.update({f"{name}/{key}": value.detach().numpy() for key, value in found.items()})
    here = os.path.dirname(os.path.abspath(__file__))
    numpy.savez_compressed(os.path.join(here, "fixtures", "recurrent.npz"), **arrays)


if __name__ == "__main__":
    main()
