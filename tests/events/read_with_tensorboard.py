"""Reads a run's event files with TensorBoard's own reader and prints what it found as JSON.

    python3 read_with_tensorboard.py RUN/events

Exit status 77: the package tensorboard is not installed.
"""
import json
import os
import sys

try:
    from google.protobuf import text_format
    from tensorboard.backend.event_processing import event_accumulator
    from tensorboard.plugins.projector import projector_config_pb2
except ImportError as error:
    print(f"the Python package tensorboard is not installed: {error}")
    sys.exit(77)


def main(folder):
    everything = {kind: 0 for kind in ("scalars", "images", "histograms", "tensors")}
    events = event_accumulator.EventAccumulator(folder, size_guidance=everything)
    events.Reload()
    tags = events.Tags()
    found = {"scalars": {}, "images": {}, "histograms": {}}
    for tag in tags["scalars"]:
        found["scalars"][tag] = [[e.step, e.value] for e in events.Scalars(tag)]
    for tag in tags["images"]:
        found["images"][tag] = [[e.step, e.width, e.height] for e in events.Images(tag)]
    for tag in tags["histograms"]:
        found["histograms"][tag] = [
            [e.step, e.histogram_value.num, sum(e.histogram_value.bucket)]
            for e in events.Histograms(tag)
        ]
    config_path = os.path.join(folder, "projector_config.pbtxt")
    if os.path.exists(config_path):
        config = projector_config_pb2.ProjectorConfig()
        with open(config_path, encoding="utf-8") as file:
            text_format.Parse(file.read(), config)
        embedding = config.embeddings[0]
        with open(os.path.join(folder, embedding.tensor_path), encoding="utf-8") as file:
            points = [line.split("\t") for line in file]
        with open(os.path.join(folder, embedding.metadata_path), encoding="utf-8") as file:
            labels = file.read().splitlines()
        found["embedding"] = {
            "name": embedding.tensor_name,
            "points": len(points),
            "labels": len(labels) - 1,
            "thumbnail": list(embedding.sprite.single_image_dim),
        }
    json.dump(found, sys.stdout)


main(sys.argv[1])
