#!/usr/bin/env bash
# A stranger's path on a Debian with nothing but Python and git: clone, demo, the first real use. As root:
#
#   release/bare_machine.sh FOLDER ANNOTATION FASTA
#
# debootstrap makes the system in FOLDER if it is not there (300 MB). It needs the network. The time of each step is printed.
set -euo pipefail
(($# == 3)) || { sed -n '2,/^set/{/^#/p}' "$0" >&2; exit 2; }
folder=$1 files=("$2" "$3")
checkout=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)

[[ -d $folder ]] || debootstrap --variant=minbase --include=ca-certificates,git,python3 bookworm "$folder" >&2
for settings in /etc/pip.conf /etc/resolv.conf /etc/ssl/certs/ca-certificates.crt; do
    [[ ! -e $settings ]] || cp "$settings" "$folder$settings"
done
rm -rf "$folder/root"
mkdir "$folder/root"
git clone --quiet --bare "$checkout" "$folder/root/histpred.git"
cp "${files[@]}" "$folder/root"

unshare --mount --pid --fork bash -euc '
    mount -t proc proc "$1/proc"
    mount --rbind /dev "$1/dev"
    exec env -i HOME=/root PATH=/usr/sbin:/usr/bin DEBIAN_FRONTEND=noninteractive chroot "$@"' \
    bash "$folder" bash -uc '
    TIMEFORMAT="  %1R s, %1U s of CPU"
    step() {
        echo "$*"
        time "$@" >/root/output 2>&1
        tail -n 2 /root/output | cut -c 1-100 | sed "s/^/  /"
    }
    cd /root
    step git clone --quiet histpred.git histpred
    step histpred/bin/histpred demo # stops, and says what to install
    step apt-get install --yes -qq --no-install-recommends python3-venv
    step histpred/bin/histpred demo
    step histpred/bin/histpred predict "$0" "$1" --biotype lncRNA -o scores' \
    "${files[@]##*/}"
