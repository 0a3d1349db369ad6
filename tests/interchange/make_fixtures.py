#!/usr/bin/env python3
"""Writes tests/interchange/fixtures: small networks of torchvision, timm, transformers and
OpenCLIP with random weights, and what they compute.

    <case>.pt or .safetensors   the state dict, as the library names it
    <case>.npz                  input, output, direction, and as "gradient <name>" the gradients of
                                sum(output * direction), in evaluation mode

    make_fixtures.py [case...]       makes them
    make_fixtures.py --check strata  imports and exports each with the program `strata` and loads
                                     the result with load_state_dict(strict=True): tensors and
                                     outputs must be the same bits

Where a class has no small configuration its layers are replaced by narrower ones in the same
places. Made with torch 2.15, torchvision 0.29, timm 1.0, transformers 5.24 and OpenCLIP 3.3:
    pip install torch torchvision timm transformers safetensors open_clip_torch
"""

import argparse
import functools
import json
import os
import subprocess
import tempfile

import numpy as np
import open_clip
import timm
import torch
import torchvision
import transformers as hf
from safetensors.torch import load_file, save_file
from torch import nn

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")


class NarrowResNet(torchvision.models.ResNet):
    """torchvision's with 2 channels instead of 64, and so on."""

    @property
    def inplanes(self):
        return self.channels

    @inplanes.setter
    def inplanes(self, value):
        self.channels = 2 if not hasattr(self, "channels") else value

    def _make_layer(self, block, planes, *rest, **named):
        return super()._make_layer(block, planes // 32, *rest, **named)


def resnet(block):
    model = NarrowResNet(block, [2, 2, 2, 2])
    model.fc = nn.Linear(16 * block.expansion, 5)
    return model


def resnet_huggingface():
    return hf.ResNetForImageClassification(
        hf.ResNetConfig(
            embedding_size=2,
            hidden_sizes=[2, 4, 8, 16],
            depths=[2, 2, 2, 2],
            layer_type="basic",
            num_labels=5,
        )
    )


def alexnet():
    model = torchvision.models.AlexNet(num_classes=5)
    for i, layer in enumerate(model.features):
        if isinstance(layer, nn.Conv2d):
            inputs = 3 if i == 0 else layer.in_channels // 16
            model.features[i] = nn.Conv2d(
                inputs, layer.out_channels // 16, layer.kernel_size, layer.stride, layer.padding
            )
    model.classifier[1] = nn.Linear(16 * 36, 16)
    model.classifier[4] = nn.Linear(16, 16)
    model.classifier[6] = nn.Linear(16, 5)
    return model


VGG11 = [2, "M", 4, "M", 8, 8, "M", 16, 16, "M", 16, 16, "M"]


def vgg(batch_norm):
    model = torchvision.models.VGG(
        torchvision.models.vgg.make_layers(VGG11, batch_norm), num_classes=5
    )
    model.classifier[0] = nn.Linear(16 * 49, 8)
    model.classifier[3] = nn.Linear(8, 8)
    model.classifier[6] = nn.Linear(8, 5)
    return model


def vgg_timm():
    model = timm.models.vgg.VGG(VGG11, num_classes=5, norm_layer=nn.BatchNorm2d)
    model.pre_logits = timm.models.vgg.ConvMlp(16, 8, 7)
    model.head = timm.layers.ClassifierHead(8, 5)
    return model


def vit_timm():
    return timm.models.VisionTransformer(
        img_size=8, patch_size=4, embed_dim=16, depth=2, num_heads=2, num_classes=5
    )


def vit_torchvision():
    return torchvision.models.VisionTransformer(8, 4, 2, 2, 16, 64, num_classes=5)


def vit_huggingface():
    return hf.ViTForImageClassification(
        hf.ViTConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            image_size=8,
            patch_size=4,
            layer_norm_eps=1e-6,
            num_labels=5,
        )
    )


def gpt2():
    return hf.GPT2LMHeadModel(
        hf.GPT2Config(
            n_embd=16,
            n_layer=2,
            n_head=2,
            vocab_size=20,
            n_positions=16,
            bos_token_id=0,
            eos_token_id=0,
        )
    )


def bert(kind):
    return kind(
        hf.BertConfig(
            hidden_size=16,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            vocab_size=20,
            max_position_embeddings=16,
            num_labels=3,
        )
    )


def clip():
    both = dict(
        hidden_size=16,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        projection_dim=8,
    )
    return hf.CLIPModel(
        hf.CLIPConfig(
            text_config=dict(
                both, vocab_size=20, max_position_embeddings=8, bos_token_id=18, eos_token_id=19
            ),
            vision_config=dict(both, image_size=8, patch_size=4),
            projection_dim=8,
        )
    )


def open_clip_model(**vision):
    """OpenCLIP keeps the names and the structure of OpenAI's program."""
    text = dict(context_length=8, vocab_size=20, width=16, heads=2, layers=2)
    return open_clip.CLIP(8, vision, text, quick_gelu=True)


NARROW = {"classes": 5, "base_width": 2}
VIT = {"classes": 5, "height": 8, "width": 8, "patch": 4, "embedding": 16, "layers": 2, "heads": 2}
WORDS = {"vocabulary": 20, "context": 16, "width": 16, "heads": 2, "layers": 2}
CLIP = {
    "tower": "vit",
    "height": 8,
    "width": 8,
    "embedding": 8,
    "patch": 4,
    "image_width": 16,
    "image_layers": 2,
    "image_heads": 2,
    "vocabulary": 20,
    "context": 8,
    "text_width": 16,
    "text_layers": 2,
    "text_heads": 2,
}
CLIP_RESNET = dict(
    CLIP, tower="resnet", height=32, width=32, blocks=[1, 1, 1, 1], stem_stride=2, image_width=2
)

# name: (our model, its options, dialect, side of the images or None for tokens, maker)
CASES = {
    "resnet18.torchvision": (
        "resnet18",
        NARROW,
        "torchvision",
        40,
        lambda: resnet(torchvision.models.resnet.BasicBlock),
    ),
    "resnet26.torchvision": (
        "resnet26",
        NARROW,
        "torchvision",
        40,
        lambda: resnet(torchvision.models.resnet.Bottleneck),
    ),
    "resnet18.huggingface": ("resnet18", NARROW, "huggingface", 40, resnet_huggingface),
    "alexnet.torchvision": (
        "alexnet",
        {"classes": 5, "base_width": 4, "hidden": 16},
        "torchvision",
        70,
        alexnet,
    ),
    "vgg11.torchvision": ("vgg11", dict(NARROW, hidden=8), "torchvision", 40, lambda: vgg(False)),
    "vgg11_bn.torchvision": (
        "vgg11_bn",
        dict(NARROW, hidden=8),
        "torchvision",
        40,
        lambda: vgg(True),
    ),
    "vgg11_bn.timm": ("vgg11_bn", dict(NARROW, hidden=8), "timm", 40, vgg_timm),
    "vit.timm": ("vit_ti16", VIT, "timm", 8, vit_timm),
    "vit.torchvision": ("vit_ti16", VIT, "torchvision", 8, vit_torchvision),
    "vit.huggingface5": ("vit_ti16", VIT, "huggingface5", 8, vit_huggingface),
    "vit.huggingface": ("vit_ti16", VIT, "huggingface", 8, vit_huggingface),
    "gpt2.huggingface": ("gpt2", WORDS, "huggingface", None, gpt2),
    "bert_masked.huggingface": (
        "bert",
        WORDS,
        "huggingface",
        None,
        lambda: bert(hf.BertForMaskedLM),
    ),
    "bert_classes.huggingface": (
        "bert",
        dict(WORDS, head="classes", classes=3),
        "huggingface",
        None,
        lambda: bert(hf.BertForSequenceClassification),
    ),
    "bert_tags.huggingface": (
        "bert",
        dict(WORDS, head="tags", classes=3),
        "huggingface",
        None,
        lambda: bert(hf.BertForTokenClassification),
    ),
    "bert_sentence.huggingface": (
        "bert",
        dict(WORDS, head="sentence"),
        "huggingface",
        None,
        lambda: bert(functools.partial(hf.BertModel, add_pooling_layer=False)),
    ),
    "clip.huggingface": ("clip", CLIP, "huggingface", 8, clip),
    "clip.openai": (
        "clip",
        CLIP,
        "openai",
        8,
        lambda: open_clip_model(image_size=8, patch_size=4, width=16, layers=2, head_width=8),
    ),
    "clip_resnet.openai": (
        "clip",
        CLIP_RESNET,
        "openai",
        32,
        lambda: open_clip_model(image_size=32, width=2, layers=[1, 1, 1, 1], head_width=32),
    ),
}


def randomise(model, generator):
    """Weights that keep signals of order one, and statistics that no layer has by default."""

    def noise(tensor, scale):
        return torch.randn(tensor.shape, generator=generator) * scale

    kept = model.state_dict().keys()
    with torch.no_grad():
        for name, p in list(model.named_parameters()) + list(model.named_buffers()):
            if not p.is_floating_point() or p.dim() == 0 or name not in kept:
                continue  # counts, and buffers that are no part of a file, such as masks
            if name.endswith("running_var"):
                p.copy_(0.5 + torch.rand(p.shape, generator=generator))
            elif p.dim() > 1:
                p.copy_(noise(p, 1.4 / (p[0].numel() ** 0.5)))
            else:
                p.copy_(noise(p, 0.2) + (1.0 if name.endswith("weight") else 0.0))


def make(name):
    torch.manual_seed(0)
    model = CASES[name][4]().eval()
    randomise(model, torch.Generator().manual_seed(1))
    return model


def example(side, generator):
    if side:
        return torch.randn(2, 3, side, side, generator=generator)
    return torch.randint(1, 20, (2, 12), generator=generator)


def run(name, model, x):
    if name.endswith("openai"):
        return model.encode_image(x)
    if name.startswith("clip"):
        image = model.get_image_features(x)
        return image if torch.is_tensor(image) else image.pooler_output
    if name.startswith("bert_sentence"):  # as sentence-transformers does it
        states = model(x, attention_mask=(x != 0).long()).last_hidden_state
        return torch.nn.functional.normalize((states * (x != 0)[..., None]).sum(1), dim=1)
    out = model(x)
    return out if torch.is_tensor(out) else out.logits


def text_features(model, tokens):
    if hasattr(model, "encode_text"):
        return model.encode_text(tokens)
    text = model.get_text_features(tokens, attention_mask=torch.ones_like(tokens))
    return text if torch.is_tensor(text) else text.pooler_output


def file_names(name, model):
    """The state dict under the names that the library gives files."""
    if name != "vit.huggingface":
        return dict(model.state_dict())
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return load_file(os.path.join(folder, "model.safetensors"))


def path_of(name):
    return os.path.join(
        FOLDER, name + (".safetensors" if "timm" in name or "vit" in name else ".pt")
    )


def load(path):
    return load_file(path) if path.endswith(".safetensors") else torch.load(path, weights_only=True)


def write(name):
    model, generator = make(name), torch.Generator().manual_seed(2)
    state = file_names(name, model)
    path = path_of(name)
    (
        save_file({k: v.contiguous() for k, v in state.items()}, path)
        if path.endswith(".safetensors")
        else torch.save(state, path)
    )
    x = example(CASES[name][3], generator)
    if name.startswith("bert_sentence"):
        x[1, 8:] = 0  # padding
    out = run(name, model, x)
    direction = torch.randn(out.shape, generator=generator)
    arrays = {
        "output": out,
        "direction": direction,
        "input": x.permute(0, 2, 3, 1).contiguous() if x.dim() == 4 else x,
    }
    loss = (out * direction).sum()
    if name.startswith("clip"):
        tokens = torch.randint(1, 18, (2, 8), generator=generator)
        tokens[0, 5], tokens[1, 7] = 19, 19
        arrays["tokens"], arrays["text"] = tokens, text_features(model, tokens)
        loss = loss + (arrays["text"] * direction).sum()
    loss.backward()
    if name != "vit.huggingface":  # its names in memory are those of vit.huggingface5
        arrays.update(
            {"gradient " + k: p.grad for k, p in model.named_parameters() if p.grad is not None}
        )
    np.savez_compressed(
        os.path.join(FOLDER, name + ".npz"), **{k: v.detach().numpy() for k, v in arrays.items()}
    )


def check(name, strata):
    ours, options, dialect, side, _ = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        middle, end = os.path.join(folder, "ours.safetensors"), os.path.join(folder, "theirs.pt")
        common = ["--model", ours, "--options", json.dumps(options)]
        subprocess.run(
            [strata, "import", path_of(name), *common, "--out", middle],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        subprocess.run(
            [strata, "export", middle, *common, "--as", dialect, "--out", end],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        state = torch.load(end, weights_only=True)
    original = load(path_of(name))
    assert state.keys() == original.keys(), set(state) ^ set(original)
    assert all(torch.equal(state[k], v) and state[k].dtype == v.dtype for k, v in original.items())
    if name == "vit.huggingface":
        return
    model = CASES[name][4]().eval()
    model.load_state_dict(state, strict=True)
    x = example(side, torch.Generator().manual_seed(2))
    assert torch.equal(run(name, model, x), run(name, make(name), x))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", metavar="STRATA")
    parser.add_argument("cases", nargs="*", default=list(CASES))
    options = parser.parse_args()
    os.makedirs(FOLDER, exist_ok=True)
    for name in options.cases or CASES:
        check(name, options.check) if options.check else write(name)
        print(name, "is right" if options.check else os.path.getsize(path_of(name)))


if __name__ == "__main__":
    main()
