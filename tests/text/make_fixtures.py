#!/usr/bin/env python3
"""Makes tests/text/fixtures/ with Hugging Face's `tokenizers` (0.23; any since 0.10 will do): a
byte-level BPE vocabulary and a WordPiece vocabulary learnt from tiny.txt, and what that library
makes of some texts with them, in expected.json. Its WordPiece numbers differ from run to run."""
import json
import os

from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "fixtures")

TEXTS = [
    "",
    " ",
    "the river",
    "They're sure it isn't ours; we'd say he'll have what I've got, I'm told it's John's.",
    "THEY'RE 'tis 'S it''s 'dog 're'll",
    "  two  spaces,   three\tand a tab \t mixed\n\nnew lines \n  indented\r\nend  ",
    "1234 12.5% of 3,000 \u00bd \u00b2 \u0664\u0665 \u2167 x2 2x",
    "café café naïve Ångström İstanbul straße ẞ Σίσυφος",
    "мост через реку, Берег",
    "\u6cb3\u4e0a\u7684\u6865 and \u6a4b\u3092\u6e21\u308b \ud55c\uad6d\uc5b4",
    "\u0928\u0926\u0940 \u0646\u0647\u0631",
    "\U0001f600 \U0001f469\u200d\U0001f680 \u2602 \u00a9 $5 + 3 = ~8 ^_^ `code` <tag> |x|",
    "\u00a0no-break\u2003em\u3000wide\u2028line\u0085next\u200bzero\ufeffbom\u00adsoft",
    "punctuation!?... “quoted” — (brackets) [MASK] {braces} ¿qué? e-mail a_b",
    "ends with <|endoftext|> inside<|endoftext|><|endoftext|> and <|endoftext",
    "[CLS] the river [SEP] the [MASK] bridge [UNK] [PAD]",
    "unbelievablyunrecognisablecompoundwords " + "x" * 101 + " " + "y" * 100,
    "\x00nul\x01control\x7f \ufffd replacement",
    "aaaaaaaaaaaaaaa bababababab",
]


def main():
    source = os.path.join(HERE, "tiny.txt")
    pair = ByteLevelBPETokenizer()
    pair.train([source], vocab_size=400, min_frequency=2, special_tokens=["<|endoftext|>"],
               show_progress=False)
    pair.save_model(HERE)
    piece = BertWordPieceTokenizer(lowercase=True)
    piece.train([source], vocab_size=300, min_frequency=2, show_progress=False)
    piece.save_model(HERE)
    vocabulary = os.path.join(HERE, "vocab.txt")
    piece = BertWordPieceTokenizer(vocabulary, lowercase=True)  # knows [CLS] and [SEP] now
    cased = BertWordPieceTokenizer(vocabulary, lowercase=False)
    expected = [{"text": text,
                 "byte_pair": pair.encode(text).ids,
                 "uncased": piece.encode(text, add_special_tokens=False).ids,
                 "cased": cased.encode(text, add_special_tokens=False).ids,
                 "pair": piece.encode(text, "the river").ids,
                 "segments": piece.encode(text, "the river").type_ids}
                for text in TEXTS]
    with open(os.path.join(HERE, "expected.json"), "w") as file:
        json.dump(expected, file, indent=0)
        file.write("\n")


if __name__ == "__main__":
    main()
