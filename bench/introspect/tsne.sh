#!/bin/sh
# t-SNE here and in scikit-learn on the same 10,000 x 50 points and two threads, in turn, then all maps
# scored by one function. usage: bench/introspect/tsne.sh PATH/TO/tsne_bench [REPEATS]
set -e
bench=$1
repeats=${2:-2}
here=$(dirname "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMP_NUM_THREADS=2 OMP_WAIT_POLICY=passive
"$bench" make "$folder/points.npy"
for repeat in $(seq "$repeats"); do
  "$bench" run "$folder/points.npy" "$folder/barnes_hut.npy" barnes_hut
  /usr/bin/python3 "$here/tsne_sklearn.py" "$folder/points.npy" "$folder/sklearn.npy"
  "$bench" run "$folder/points.npy" "$folder/fft.npy" fft
done
"$bench" score "$folder/points.npy" "$folder/barnes_hut.npy" "$folder/fft.npy" "$folder/sklearn.npy"
