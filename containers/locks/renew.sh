#!/usr/bin/env bash
# Renew the locks beside this script: the packages of each kind of image, at the versions of constraints.txt, with the
# hashes of their files. build.txt has the packages that make an image and are not in it. Needs uv (pip install uv).
#
# The kind `train` takes torch from PyTorch's index for CPUs. Where that cannot be reached, UV_FIND_LINKS names a folder
# with its wheel.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

lock() { # NAME, then options of uv
    uv pip compile --quiet --no-config --generate-hashes --no-annotate --custom-compile-command containers/locks/renew.sh \
        --python-version 3.11 --python-platform x86_64-manylinux_2_28 --constraint ../../constraints.txt \
        --output-file "$1.txt" "${@:2}"
}

cpu=()
[[ -n ${UV_FIND_LINKS:-} ]] || cpu=(--torch-backend cpu)
larger=(--extra anndata --extra encoders --extra train ../../pyproject.toml)

lock build - <<<$'cyclonedx-bom\nhatchling'
lock cpu ../../pyproject.toml
lock train "${cpu[@]}" "${larger[@]}"
# onnxruntime would install into the folder of onnxruntime-gpu.
UV_FIND_LINKS='' lock gpu --extra gpu --no-emit-package onnxruntime "${larger[@]}"
