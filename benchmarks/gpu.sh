#!/bin/sh
# Check and measure histpred on a machine with a CUDA device, in at most 8 minutes: histpred doctor, the tests marked gpu,
# the speed of DNABERT-2 and RNA-FM, parity with the CPU, an epoch of training, and predict. benchmarks/README.md has more.
#
#   benchmarks/gpu.sh [--out FOLDER] [--tokenizer FILE] [--minutes 8]     on a GPU
#   benchmarks/gpu.sh --dry-run                                          tiny sizes on the CPU, to try the script
#
# FOLDER (default: results/gpu) gets gpu.json, gpu.md and the steps' logs. Exit code 0: all steps ran; 1: a step failed or ran
# out of time, the others ran; 2: no CUDA device can be used.
#
#   PYTHON  Python with histpred's packages and those of the extras encoders, test and train, used as it is
#           (default: the environment of bin/histpred, which is made if it is missing)
set -eu

started=$(date +%s)
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)

case " $* " in
*" --help "* | *" -h "*) PYTHON=${PYTHON:-python3} ;;
*" --dry-run "*) ;;
*)
    # Before an environment of several GB is made. torch checks it again.
    if [ ! -e /dev/nvidiactl ] && ! command -v nvidia-smi >/dev/null 2>&1; then
        echo "gpu.sh: this machine has no CUDA device: no NVIDIA driver was found (--dry-run tries the script on the CPU)" >&2
        exit 2
    fi
    ;;
esac

if [ -z "${PYTHON:-}" ]; then
    . "$root/bin/environment.sh"
    (run_in_environment "encoders test train" histpred --version) >/dev/null
    extras="encoders test train ${HISTPRED_EXTRAS:-}"
    choose_folder
    PYTHON=$venv/bin/python
fi
exec "$PYTHON" "$root/benchmarks/gpu.py" --started "$started" "$@"
