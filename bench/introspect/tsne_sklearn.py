"""scikit-learn's t-SNE on DATA.npy: prints seconds, writes MAP.npy. Debian: python3-sklearn."""
import os
import sys
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")
import numpy
import sklearn
from sklearn.manifold import TSNE

data = numpy.load(sys.argv[1])
options = dict(perplexity=30, early_exaggeration=12, learning_rate="auto", n_iter=1000,
               init="pca", method="barnes_hut", angle=0.5, n_jobs=2, random_state=0,
               n_iter_without_progress=1000)
start, processor = time.perf_counter(), time.process_time()
model = TSNE(**options)
points = model.fit_transform(data)
print(f"scikit-learn {sklearn.__version__} {time.perf_counter() - start:.2f} s, "
      f"processors {time.process_time() - processor:.2f} s, "
      f"own KL {model.kl_divergence_:.4f}, {model.n_iter_} iterations")
numpy.save(sys.argv[2], points.astype(numpy.float32))
